"""Mutations whose request or answer holds a secret."""
