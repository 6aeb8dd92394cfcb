"""Limits the length of XML namespaces before expat reads them (Namespaces in XML 1.0). Expat copies the whole name of
the namespace into the name of each element and attribute, so one long name takes many times the memory of its file.
"""

import re
from collections.abc import Iterable, Iterator

_MOST_NAME = 128
"""Longest name that is read, bytes: twice the longest in use."""
_MOST_BETWEEN = 512
# A declaration with a longer name, or with a prefix and white space so long that its name is not looked for.
_LONG = re.compile(
    rb"xmlns(?::[^\s\"'=<>/]*)?\s*=\s*(?:\"[^\"]{%d}|'[^']{%d})|xmlns[:\s=][^\"'<>]{%d}"
    % (_MOST_NAME + 1, _MOST_NAME + 1, _MOST_BETWEEN)
)
_LONGEST = len(b"xmlns:") + _MOST_BETWEEN + _MOST_NAME + 2


class NamespaceTooLongError(ValueError):
    """A namespace of the file has a longer name than any in use."""


def check(data: bytes) -> None:
    """Raises NamespaceTooLongError where a whole file, in UTF-8 or UTF-16, declares a namespace of too long a name."""
    encodings = ("utf-16-le", "utf-16-be") if b"\0" in data[:4] or data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ()
    readings = (data.decode(each, "replace").encode("utf-8", "replace") for each in encodings)
    for _ in bounded(readings if encodings else (data,)):
        pass


def bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the chunks of an XML file in UTF-8 as they come. Raises NamespaceTooLongError instead of the chunk that
    completes the declaration of too long a name.
    """
    before = b""
    for chunk in chunks:
        seen = before + chunk
        if _LONG.search(seen) is not None:
            raise NamespaceTooLongError("the name of a namespace is too long")
        before = seen[-_LONGEST:]
        yield chunk
