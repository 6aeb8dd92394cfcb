"""Timestamps (RFC 3161): the hub's authority, others, and the machine's clock."""
