"""Stock: one document per SKU, taken and given back by conditional updates, never negative."""
