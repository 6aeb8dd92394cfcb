"""Reads and writes what upkeep needs across the subjects' tables."""
