"""How secrets that the hub gave out are stored: as SHA-256 only. Pure."""

from __future__ import annotations

import hashlib


def token_hash(secret: str) -> str:
    """SHA-256 of a secret of at least 256 random bits, hex. Such a secret needs no salt and no stretching."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
