"""Rules of later versions, pure."""
