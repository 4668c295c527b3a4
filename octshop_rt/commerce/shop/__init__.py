"""Shops: merchants, their certified stores on the map, counters, staff grants and business settings."""
