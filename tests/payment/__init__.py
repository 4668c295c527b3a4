"""Payments against the real simulator over HTTP and a real MongoDB."""
