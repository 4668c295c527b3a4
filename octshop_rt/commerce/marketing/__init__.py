"""Marketing: campaigns of a shop and the coupons people claim from them."""
