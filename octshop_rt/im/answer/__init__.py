"""Answers without a person: welcome, keywords, questions and answers with stated confidence, quick replies for agents."""
