"""Seals: their life, making, pictures, slots, and keys that sign once."""
