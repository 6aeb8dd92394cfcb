"""Rules of sessions, sign-in and token families."""
