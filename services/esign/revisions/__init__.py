"""Judges what came into a document after it was signed, and whether its signatures let it."""
