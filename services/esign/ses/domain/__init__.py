"""Rules of seal signatures, pure."""
