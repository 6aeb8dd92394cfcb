"""Hashes the secrets that the hub gives out: only their SHA-256 is stored. Pure."""

from __future__ import annotations

import hashlib


def token_hash(secret: str) -> str:
    """SHA-256 of a secret of at least 256 random bits, hex. Such a secret needs no salt and no stretching."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
