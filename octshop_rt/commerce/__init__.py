"""The commerce wing: goods, orders, payments, members, shops, and the books behind them."""
