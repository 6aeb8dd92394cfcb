"""Objects that came later and that nothing points at (ISO 32000-1, 7.5.6): a change, but for a few empty ones."""

from services.esign.domain.pdf.document import ELSEWHERE
from services.esign.domain.pdf.shadow import ACTIVE, VARYING, cut
from services.esign.domain.pdf.syntax import Dict, Ref
from services.esign.domain.pdf.update import Revision
from services.esign.revisions.domain import additions, data_changes
from services.esign.revisions.domain.two_versions import ChangedError, TwoVersions

# Keys by which a stream's content is that of another document (ISO 32000-1, table 95), or lies elsewhere.
_ELSEWHERE = ELSEWHERE | {"Ref"}


def refuse_what_belongs_to_nothing(two: TwoVersions, revision: Revision) -> None:
    """Checks that what was added belongs to something, and nothing of it acts or varies."""
    containers = set(revision.packed.values())
    own = (revision.objects.keys() | revision.packed.keys()) - revision.bookkeeping - containers
    if left := sorted(n for n in own - two.explained if not _is_leftover(two, n, revision)):
        raise ChangedError(f"object {left[0]} was added or rewritten and belongs to nothing", unclear=True)
    for number in own:
        holder = two.after.object(number)
        elsewhere = _ELSEWHERE & holder.value.keys() if holder is not None and holder.stream is not None else None
        if elsewhere:
            raise ChangedError(f"the content of stream {number} lies elsewhere: /{min(elsewhere)}")
    for number, names in two.names_brought(own).items():
        if bad := sorted((names | cut(names)) & (ACTIVE | VARYING)):
            raise ChangedError(f"object {number} brings /{bad[0]}")
        if "OC" in names:
            raise ChangedError(f"object {number} is not shown everywhere alike: /OC", unclear=True)


def _is_leftover(two: TwoVersions, number: int, revision: Revision) -> bool:
    """Tells whether an object that nothing points at is one of those that widespread libraries leave behind when they
    sign: a font without a name, a form without an operator, a widget without extent, a list of validation data, a
    second copy of the cross-reference section. No reader shows them.
    """
    value = two.after.value(number)
    if not two.is_new(number):
        return False
    if isinstance(value, list):
        return all(isinstance(each, Ref) and each[0] in two.data for each in value)
    if not isinstance(value, Dict):
        return False
    holder = two.after.object(number)
    if holder is not None and holder.stream is not None:
        if value.get("Type") == "XRef":
            listed = two.after.stream_section(holder).entries
            return all(number == n or revision.section.entries.get(n) == entry for n, entry in listed.items())
        plain = value.keys() <= additions.FORM_KEYS and value.get("Subtype") == "Form" and not value.get("Resources")
        return plain and not holder.loose and additions.draws_nothing(two.after, holder)
    if value == {"Type": "Font"} or (value.get("Type") == "VRI" and value.keys() <= data_changes.VALIDATION_OF_ONE):
        return True
    return (
        value.keys() <= {"Type", "Subtype", "AP", "F", "Rect"}
        and value.get("Subtype") == "Widget"
        and additions.invisible(two.after, value)
    )
