"""Rules of certification, pure."""
