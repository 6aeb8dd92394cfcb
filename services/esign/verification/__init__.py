"""Verification: documents judged online and offline, and what a verdict says."""
