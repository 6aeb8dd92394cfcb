"""Checks how a file says which objects it has, in two of its versions: what the signed one was packed by stays as it
was.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any

from services.esign.domain.pdf.sections import Place
from services.esign.domain.pdf.syntax import PdfError
from services.esign.domain.pdf.update import Revision, oddly_packed
from services.esign.revisions.domain.two_versions import ChangedError, TwoVersions

_OF_CONTAINERS = frozenset({"Type", "N", "First", "Extends", "Filter", "DecodeParms", "Length"})
# To PDFium the bytes 80 and FF are white space, and a comment is to all.
_BETWEEN = rb"(?:[\x00\t\n\f\r \x80\xff]|%[^\r\n]{0,256}[\r\n]){1,16}"
_MENTION = re.compile(rb"(?<!\d)0*(\d{1,10})%b\d{1,5}%bR(?![A-Za-z0-9])" % (_BETWEEN, _BETWEEN))
# A name that PDFium takes for a shorter one, and numbers behind it.
_NUMBER_BEHIND = re.compile("[\x80\xff].*[0-9]", re.DOTALL)


def refuse_other(two: TwoVersions) -> None:
    """Checks that the way in which the signed version was packed stays as it was. What only cross-reference sections
    and object streams refer to belongs to nothing else, and decides which objects there are.
    """
    before = two.before
    if any(each.kind == "stream" and "XRefStm" in each.trailer for each in (*before.sections, *two.after.sections)):
        # To some readers it is the section before.
        raise ChangedError("a cross-reference stream names another one beside it", unclear=True)
    containers = {entry.a for entry in before.entries.values() if entry.place == Place.IN_STREAM}
    _refuse_hidden(two, containers)
    waiting: list[Any] = [
        {key: value for key, value in section.trailer.items() if key not in {"Root", "Info"}}
        for each in before.sections
        for section in (each, each.companion)
        if section is not None
    ]
    waiting += (two.was(number) for number in containers)
    seen: set[int] = set()
    while waiting:
        for ref in before.references(waiting.pop()):
            if two.touched(ref[0]):
                raise ChangedError(f"object {ref[0]}, by which others are found, was changed", unclear=True)
            if ref[0] not in seen:
                seen.add(ref[0])
                waiting.append(two.was(ref[0]))


def _refuse_hidden(two: TwoVersions, containers: Collection[int]) -> None:
    """Nothing that came has a number that the signed version mentions: in what one reader takes for a comment, a string
    or packed data another finds a reference, which leads to what came.
    """
    before = two.before
    try:
        before.read_all()
    except PdfError as cause:
        if cause.limit:
            raise
    if any(_NUMBER_BEHIND.search(name) for name in before.census.names if not name.isascii()):
        raise ChangedError("a name holds what is a number to some readers", unclear=True)
    mentions = _MENTION.findall(before.data, 0, before.end)
    for number in containers:
        holder = before.object(number)
        if holder is None or holder.stream is None:
            continue
        if not holder.value.keys() <= _OF_CONTAINERS or oddly_packed(before, holder):
            raise ChangedError(f"object stream {number} is unpacked by each reader in its own way", unclear=True)
        mentions += _MENTION.findall(before.stream_of(holder))
    mentioned = set(map(int, mentions))
    if hidden := sorted(number for number in mentioned if two.is_new(number) and two.touched(number)):
        raise ChangedError(f"object {hidden[0]} came, and was mentioned before it was there", unclear=True)


def refuse_freeing(two: TwoVersions, revisions: Iterable[Revision]) -> None:
    """No object that there was is taken away. Nobody has to; and a reader that misses one by which others are found
    rebuilds the file, though nothing else leads to it.
    """
    for revision in revisions:
        if taken := sorted(number for number in revision.freed if two.was(number) is not None):
            raise ChangedError(f"object {taken[0]} was taken away", unclear=True)


def refuse_shrinking(two: TwoVersions) -> None:
    """Objects whose number is not below /Size are nothing to some readers (ISO 32000-1, table 15)."""
    one, other = two.before.trailer.get("Size"), two.after.trailer.get("Size")
    in_use = max((n for n, entry in two.after.entries.items() if entry.place != Place.FREE), default=0)
    if type(other) is not int or (other <= in_use and (type(one) is not int or other < one)):
        raise ChangedError("/Size leaves out objects")
