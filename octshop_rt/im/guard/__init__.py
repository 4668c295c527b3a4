"""What may not be said, and by whom: words, links and numbers, floods, blocked buyers, and the list to review."""
