"""Page tests: the whole product in real Chromium. A package, so that they share one browser that ends with them."""
