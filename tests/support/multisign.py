"""Documents that several sign: each signature with a timestamp, and a closing document timestamp."""

from functools import cache
from hashlib import sha256
from typing import Any

from services.esign.domain.cms.signed_data import OpenedCms
from services.esign.domain.pdf.appearance import Picture
from services.esign.signing.domain import multisign
from services.esign.signing.domain.multisign import Field, Lock, LockAction
from services.esign.timestamps.domain import token as timestamp
from tests.support import documents as attack
from tests.support.esign import NOW_US, page, setting, small_pdf
from tests.support.timestamps import authority, signer

FIELDS = (
    Field("甲方", 0, (10, 10, 60, 60), Lock(LockAction.INCLUDE, ("甲方",))),
    Field("乙方", 0, (70, 10, 120, 60), Lock(LockAction.ALL)),
)
RED = Picture(120, 120, bytes((200, 0, 0)) * 120**2, (bytes((255,)) * 60 + bytes(60)) * 120)
"""A seal: its left half is red, its right half clear."""
DOCUMENTS = {
    "table": small_pdf,
    "stream": lambda: small_pdf(xref_stream=True),
    "packed": attack.packed,
    "form": attack.with_form,
    "layout": page,
}


def token(digest: bytes, at_us: int = NOW_US) -> bytes:
    asked = timestamp.TimestampQuery(timestamp.imprint(digest), wants_certificates=True)
    return signer().token(asked, 1, at_us)


def signed(pdf: bytes, field: str, **options: Any) -> bytes:
    """One signature with a timestamp, made in the steps that a flow makes."""
    template, room = setting().seal.cms, authority().max_size()
    options = {"appearance": RED, **options}
    step = multisign.begin(
        pdf, field, size=template.max_size_with(room), at_us=NOW_US, signer="呼和浩特市公安局", **options
    )
    opened = OpenedCms.of(template.sign(step.digest))
    return step.finish(opened.stamped(token(sha256(opened.value).digest())))


@cache
def both(document: str = "table") -> bytes:
    return signed(signed(multisign.prepare(DOCUMENTS[document](), FIELDS), "甲方"), "乙方")


@cache
def closed(document: str = "table") -> bytes:
    last = multisign.close(both(document), authority().max_size())
    return last.finish(token(last.digest))
