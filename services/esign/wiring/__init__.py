"""Wiring of subjects, for `app`."""
