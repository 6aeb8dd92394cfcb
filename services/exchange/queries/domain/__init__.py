"""Pure rules of queries."""
