"""The books: balanced, append-only postings between named accounts. Below everything that moves money."""
