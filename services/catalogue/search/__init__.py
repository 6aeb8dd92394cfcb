"""Search and lists: how people find published items."""
