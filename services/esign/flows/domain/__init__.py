"""Rules of flows, pure."""
