"""Tokens, plans and scores of the search."""
