"""PDF (ISO 32000): read, written and continued; what looks like one and is more."""
