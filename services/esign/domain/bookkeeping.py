"""How a file says which objects it has, in two of its versions: what the signed one was packed by stays as it was."""

from typing import Any

from services.esign.domain.pdf_sections import Place
from services.esign.domain.two_versions import ChangedError, TwoVersions


def refuse_other(two: TwoVersions) -> None:
    """How the signed version was packed stays as it was. What only cross-reference sections and object streams refer to
    belongs to nothing else, and decides which objects there are.
    """
    before = two.before
    if any(each.kind == "stream" and "XRefStm" in each.trailer for each in (*before.sections, *two.after.sections)):
        # To some readers it is the section before.
        raise ChangedError("a cross-reference stream names another one beside it", unclear=True)
    containers = {entry.a for entry in before.entries.values() if entry.place == Place.IN_STREAM}
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


def refuse_shrinking(two: TwoVersions) -> None:
    """Objects whose number is not below /Size are nothing to some readers (ISO 32000-1, table 15)."""
    one, other = two.before.trailer.get("Size"), two.after.trailer.get("Size")
    in_use = max((n for n, entry in two.after.entries.items() if entry.place != Place.FREE), default=0)
    if type(other) is not int or (other <= in_use and (type(one) is not int or other < one)):
        raise ChangedError("/Size leaves out objects")
