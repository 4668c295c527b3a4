"""Answers without a person: welcome, keywords, a knowledge base with stated confidence; agents' quick replies."""
