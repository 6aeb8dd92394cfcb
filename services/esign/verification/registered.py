"""Answers of other subjects' registers about a document that is no certificate of a case."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.esign.verification.domain.register_steps import Known


@dataclass(frozen=True, slots=True)
class Registered:
    """A released document: its number, how its seals stood and stand, where it is in the ledger, and its receipt."""

    number: str
    known: Known
    ledger_index: int
    receipt: str


Register = Callable[[Connection, Sequence[str]], Registered | None]
"""Finds the document that has one of these digests (hex, the newest version first): it, or what it was before its
renewal.
"""
