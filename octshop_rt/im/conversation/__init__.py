"""Conversations: a numbered log per buyer and shop, written once, in order, by a majority."""
