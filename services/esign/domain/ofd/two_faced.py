"""Packages that other readers may take for a PDF."""

import re

_OF_PDF = (b"%PDF-", b"startxref")
# Behind the word, and behind a comment: whatever some reader may pass over, then a dictionary or a comment. Which
# numbers stand before the word, each reader takes in its own way.
_OBJECT = re.compile(rb"obj[^0-9A-Za-z<%]*(<<|%)")
_BEHIND_COMMENT = re.compile(rb"[^0-9A-Za-z<%]*(<<|%)")
_LINE_END = re.compile(rb"[\r\n]")


def is_two_faced(data: bytes) -> bool:
    """Tells whether other readers may take the same bytes for a PDF: some look for its header, some for its end, some
    are content with any of its objects. Every PDF has one that is a dictionary; XML and compressed files show none.
    """
    return any(word in data for word in _OF_PDF) or _has_dictionary(data)


def _has_dictionary(data: bytes) -> bool:
    """Each byte is looked at a few times at most: comments of one line, and of lines that follow, end together."""
    followed_to = 0
    for found in _OBJECT.finditer(data):
        at, what = found.end(), found[1]
        while what == b"%" and at > followed_to:
            line_end = _LINE_END.search(data, at)
            followed_to = len(data) if line_end is None else line_end.end()
            behind = _BEHIND_COMMENT.match(data, followed_to)
            if behind is None:
                break
            at, what = behind.end(), behind[1]
        if what == b"<<":
            return True
    return False
