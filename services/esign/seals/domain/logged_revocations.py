"""Revocations as ledger entries state them: written here, and read again by a register that lost them."""

import re

from services.esign.ledger.domain.ledger import Entry
from services.esign.seals.domain.life import Revocation, RevocationReason, SealState

_REVOKED = re.compile(r"revoked:(\d{1,3}):(\d{1,18})(?::(\d{1,18}))?")
_REASONS = {reason.value: reason for reason in RevocationReason}


def kind_of(revocation: Revocation | None) -> str:
    """Writes for a ledger entry why a seal was revoked or replaced, from when on its signatures count for nothing, and
    since when it is out of use: a register that lost the revocation learns it from there.
    """
    if revocation is None:
        return ""
    return f"revoked:{revocation.reason.value}:{revocation.invalid_us}:{revocation.at_us}"


def revocation_of(entry: Entry, held_us: int | None = None) -> Revocation:
    """Reads an entry about a revoked or replaced seal. An entry of an earlier version tells less: the seal is then out
    of use since its suspension (`held_us`), else since the entry's own time.
    """
    out_us = entry.time_us if held_us is None else min(held_us, entry.time_us)
    if told := _REVOKED.fullmatch(entry.kind):
        reason, invalid_us = _REASONS.get(int(told[1]), RevocationReason.UNSPECIFIED), int(told[2])
        return Revocation(reason, int(told[3]) if told[3] else max(out_us, invalid_us), invalid_us)
    replaced = entry.state == SealState.REPLACED
    return Revocation(RevocationReason.SUPERSEDED if replaced else RevocationReason.UNSPECIFIED, out_us, out_us)
