"""What upkeep reads and writes across the subjects' tables."""
