"""Environment in which migrations run."""
