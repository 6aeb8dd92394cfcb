"""Rules of verdicts, pure."""
