"""Upkeep: wrapping again, and erasing keys of seals that ended."""
