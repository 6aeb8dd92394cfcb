"""Profiles of sRGB and of its grey that makers put into documents (ICC.1): every reader shows their colours as those of
the device. Of any other profile one reader takes the curves, another the alternate space, and both may be anything.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import PdfError
from services.esign.revisions.domain import additions

# SHA-256 of the profile, and how many numbers a colour has.
_KNOWN: Mapping[str, int] = {
    # sRGB IEC61966-2.1 of 1998, 3,144 bytes.
    "2b3aa1645779a9e634744faf9b01e9102b0c9b88fd6deced7934df86b949af7e": 3,
    # Of typst's writer, 480 and 360 bytes.
    "c56e1685d888f5edb92fe07f2750f387f8fe8e91b32ff8fb0b56bfbbb9458353": 3,
    "00c0f94e09127520a17dc0e1d9264b5702081d96dbdb1549ee88e3631ce42a9d": 1,
}
_ALTERNATES = {1: "DeviceGray", 3: "DeviceRGB"}
_MOST_BYTES = 4096


def parts_of(document: Document, profile: Any) -> int:
    """The number of components that a colour of a profile has; 0 for one that is not known. Raises PdfError where it is
    too much work.
    """
    holder = additions.stream_of(document, profile)
    if holder is None or holder.loose or holder.stream is None or holder.stream[1] - holder.stream[0] > _MOST_BYTES:
        return 0
    try:
        parts = _KNOWN.get(sha256(document.stream_of(holder)).hexdigest(), 0)
    except PdfError as cause:
        if cause.limit:
            raise
        return 0
    stated = document.resolve(holder.value.get("N")), document.resolve(holder.value.get("Alternate"))
    known = stated[0] == parts and stated[1] in (None, _ALTERNATES.get(parts))
    return parts if known and document.resolve(holder.value.get("Range")) in (None, [0, 1] * parts) else 0
