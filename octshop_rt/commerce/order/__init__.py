"""Orders: checkout, three axes of state, and what payments and vouchers change about them."""
