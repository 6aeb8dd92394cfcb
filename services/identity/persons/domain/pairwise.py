"""Pairwise subject identifiers (OpenID Connect Core 8.1): one person, another name in each sector. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject and the epoch of the key that made it."""

    value: str
    epoch: int


def subject(keys: Mapping[int, bytes], person_id: str, sector: str) -> Subject:
    """base64url(HMAC-SHA256(K_pair[newest epoch], person_id | sector)).

    A person id has 22 characters of base64url and a sector no `|`, so no two pairs share a text.
    """
    epoch = max(keys)
    digest = hmac.digest(keys[epoch], f"{person_id}|{sector}".encode(), hashlib.sha256)
    return Subject(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), epoch)
