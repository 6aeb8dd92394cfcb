"""Keys: identity's secrets, and the keys that sign tokens."""
