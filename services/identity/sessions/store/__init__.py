"""Rows of sessions, credentials and token families."""
