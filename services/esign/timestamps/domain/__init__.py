"""Timestamp tokens, pure."""
