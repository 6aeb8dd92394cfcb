"""Honest signed documents in the forms in which other makers write them, and what forgers do to such documents."""
