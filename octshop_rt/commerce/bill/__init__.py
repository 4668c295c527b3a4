"""Bill: what a buyer pays at a till, an order type of its own without goods."""
