"""Persons behind pairwise subjects, as identity resolves them."""
