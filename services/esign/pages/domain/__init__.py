"""Rules of pages, pure."""
