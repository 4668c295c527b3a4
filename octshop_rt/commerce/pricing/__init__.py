"""Pricing: pure arithmetic from lines and adjustments to a quote that adds up to the fen."""
