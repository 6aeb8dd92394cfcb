"""What the Python examples share: credentials, calls and events, on the public contract and stock libraries only."""
