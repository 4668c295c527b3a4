"""Insight: what was said, found again; what was served, measured: search, ratings, labels, quality, figures."""
