"""The item feed: which published items changed after a version."""
