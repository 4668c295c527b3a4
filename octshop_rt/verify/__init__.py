"""The verify wing: vouchers, the codes that show them, and their write-off. It hears of orders by event alone."""
