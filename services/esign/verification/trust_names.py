"""Names of files in a trust directory that say what they hold."""

POLICY = "policy"
"""A policy of witnesses, as C2SP tlog-policy calls it."""
TSA_PREFIX = "tsa-"
"""Begins the names of files whose certificates vouch for timestamps only."""
