"""The plain way to write objects (ISO 32000-1, 7.2 and 7.3), which readers of every make read alike.

Readers differ at the edges of the syntax: what counts as white space, where a string ends that holds a line end, what
an escape stands for. Nobody has to go there, so in what came after a signature that is not done.
"""

import re

from services.esign.domain.pdf.document import Document, PdfObject

_END = rb"(?=[\t\n\r ()<>\[\]/]|\Z)"
# A piece of a literal string has no carriage return, which is a line feed to some; its escapes are those of table 3
# and three digits of one byte. A parenthesis before a line end closes the string for some.
_PIECE = rb"[^()\\\r]*+"
_ESCAPE = rb"\\(?:[nrtbf(\\]|\)(?!\n)|[0-3][0-7]{2}|\r\n|\r(?!\n)|\n)"
_INNER = rb"\(%b(?:%b%b)*+\)(?!\n)" % (_PIECE, _ESCAPE, _PIECE)
_VALUE = re.compile(
    b"|".join(
        (
            rb"[\t\n\r ]+",
            rb"<<|>>|[\[\]]",
            # Longer names are cut by some readers (ISO 32000-1, table C.1).
            rb"/(?:[!\"$&'*-.0-;=?-Z\\^-z|~\x80-\xff]|#[2-9A-Fa-f][0-9A-Fa-f]){0,127}" + _END,
            rb"\d{1,7} \d{1,5} R" + _END,
            # Whole numbers that are larger than a word are another to each reader.
            rb"-?(?:\d{1,9}(?:\.\d{0,16})?|\.\d{1,16})" + _END,
            rb"(?:true|false|null)" + _END,
            rb"<[0-9A-Fa-f]*>",
            rb"\(%b(?:(?:%b|%b)%b)*+\)" % (_PIECE, _ESCAPE, _INNER, _PIECE),
        )
    )
)
_HEADER = re.compile(rb"\d+\s+\d+\s+obj")
_STREAM = re.compile(rb"stream\r?\n\Z")
_BEHIND_STREAM = re.compile(rb"(?:\r\n|\r|\n)endstream[\t\n\r ]{1,4}endobj")


def is_plain(text: bytes) -> bool:
    """Tells whether the text is values written plainly, one behind another."""
    at: int | None = 0
    while at is not None and at < len(text):
        at = value_behind(text, at)
    return at is not None


def value_behind(text: bytes, at: int) -> int | None:
    """Returns where the piece of a value, or the white space, that begins at `at` ends; None when it is not written
    plainly.
    """
    value = _VALUE.match(text, at)
    return None if value is None else value.end()


def is_plain_object(document: Document, found: PdfObject) -> bool:
    """Tells whether an object that stands in the file is, its stream's data aside."""
    header = _HEADER.match(document.data, found.start)
    if header is None:
        return False
    if found.stream is None:
        text = document.data[header.end() : found.end]
        return text.endswith(b"endobj") and is_plain(text[: -len(b"endobj")])
    text = document.data[header.end() : found.stream[0]]
    begins = _STREAM.search(text)
    if begins is None or _BEHIND_STREAM.fullmatch(document.data, found.stream[1], found.end) is None:
        return False
    return is_plain(text[: begins.start()])
