"""Sessions: registration, sign-in, token families, and how they end."""
