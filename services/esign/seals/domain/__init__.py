"""Rules of seals, pure."""
