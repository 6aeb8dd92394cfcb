"""Values and rules of items."""
