"""Rules and formats of licences, pure."""
