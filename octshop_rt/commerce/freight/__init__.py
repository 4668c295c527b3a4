"""Freight: what it costs to bring a child order to its buyer. Pure."""
