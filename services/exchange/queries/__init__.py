"""Queries to providers under a grant, and real-name questions of the hub's own services."""
