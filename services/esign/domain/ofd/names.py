"""Names of files in an OFD package, as systems and readers take them."""

import unicodedata

from services.esign.domain.ofd.errors import OfdError

MOST_NAME = 512
# Controls and spaces (Unicode White_Space), and those without width.
_CODES = (*range(0x21), *range(0x7F, 0xA1), 0x1680, 0x180E, *range(0x2000, 0x2010), 0x2028, 0x2029, 0x202F, 0x205F)
_UNSEEN = "".join(map(chr, (*_CODES, 0x2060, 0x3000, 0xFEFF)))


def trimmed(name: str) -> str:
    """A name or location as readers have it that take the white space from both ends of each part."""
    return "/".join(part.strip(_UNSEEN) for part in name.split("/"))


def plain_name(name: str) -> str:
    """One spelling for all names that are one file on some system, or to some reader: whatever letters' case and
    composition, and without the dots at an end and the white space at both.
    """
    plain = trimmed(name.casefold() if name.isascii() else unicodedata.normalize("NFC", name).casefold())
    if "./" in plain or plain.endswith("."):
        return "/".join(part.rstrip(". ") or part for part in plain.split("/"))
    return plain


def bad_name(name: str) -> OfdError:
    """Says of a name, or of a location, that it is none of a file inside the package to every reader."""
    return OfdError(
        "NAME_UNSAFE",
        "包内文件名不合规",
        f"a name in the package is not one of a file inside it: {name[:80]!r}",
        unsupported=True,
    )
