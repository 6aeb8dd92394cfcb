"""The steps coverage and changes: which versions were signed, and what came into the document after that."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from services.esign.domain.findings import Findings
from services.esign.domain.pdf import gaps, signatures
from services.esign.domain.pdf import rebuilt as pdf_rebuilt
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.sections import FREE, Place
from services.esign.domain.pdf.signatures import PdfSignature
from services.esign.domain.pdf.syntax import PdfError
from services.esign.domain.shown_names import shown
from services.esign.domain.verdict import Sentence, Status, Step
from services.esign.revisions.domain import changes, second_look
from services.esign.revisions.domain.changes import Passage
from services.esign.revisions.domain.second_look import Comparison, Look, Seen
from services.esign.revisions.domain.two_versions import Change
from services.esign.verification.domain.sentences import change_words

# Ends of earlier versions that are looked at where the file as it is says too little.
_MOST_ENDS = 16
_BYTE_RANGE = re.compile(rb"/ByteRange")
_END = re.compile(rb"%%EOF(?:\r\n|\n|\r)?")
# With what transport and storage fill up a file: white space of PDF, and the mark of an end that DOS knew.
_PADDING = b"\x00\t\n\f\r \x1a"
# More behind the signed bytes may be part of something that states its own length.
_LINE_ENDS = frozenset({b"", b"\n", b"\r", b"\r\n"})
# In how many differing places readers of the verdict are interested.
_MOST_NAMES = 8
# How the rules end what they say of a field that is too large (`additions.misfit`).
_TOO_LARGE = "it covers too much of the page"
_UNCHANGED = Step("changes", Status.VALID, "UNCHANGED", "签名后没有追加内容", "nothing was appended after signing")


@dataclass(frozen=True, slots=True)
class History:
    """The document's signatures in the order of their coverage, what came after each, and from which byte on there is
    nothing but validation data and document timestamps (the whole length: nowhere). `stray`: how many bytes behind the
    last version belong to no part of the document. `is_open`: what no signature protects may be seen.
    """

    present: Sequence[PdfSignature]
    passages: Sequence[Passage]
    renewed_from: int
    status: Status
    stray: int = 0
    is_open: bool = False

    @property
    def ends(self) -> list[int]:
        """Returns where versions of the document end, each save for itself."""
        found = {signature.covered_to for signature in self.present}
        return sorted(found.union(*(passage.ends for passage in self.passages)))

    def covers(self, signature: PdfSignature, document: Document) -> Sentence:
        if signature.covers_whole(document) and not self.stray:
            return Sentence("覆盖整个文件", "covers the whole file")
        ends = sorted({s.covered_to for s in self.present} | {document.end})
        at, of = ends.index(signature.covered_to) + 1, len(ends)
        size = signature.covered_to
        return Sentence(
            f"覆盖文件的第 {at} 个版本（共 {of} 个），即前 {size} 字节",
            f"covers version {at} of {of}, the first {size} bytes",
        )

    def later(self, signature: PdfSignature) -> tuple[Sentence, ...]:
        """Lists what came after the signature, in order."""
        found: list[Sentence] = []
        for passage in self.passages:
            if passage.before >= signature.covered_to:
                found += _told(passage)
        if self.stray:
            zh = f"文件末尾被追加 {self.stray} 字节，不属于文件"
            found.append(Sentence(zh, f"{self.stray} bytes appended that belong to no part of the document"))
        return tuple(found)

    def concerns(self, signature: PdfSignature) -> bool:
        """Tells whether what came into the file came after it; where that was not read, it may have."""
        came_after = any(passage.before >= signature.covered_to for passage in self.passages)
        return came_after or self.stray > 0 or not self.passages

    def disturbed(self, signature: PdfSignature) -> bool:
        """Tells whether more than signing came after it, or what came shows on the pages."""
        return self.status in {Status.INVALID, Status.UNKNOWN} and (self.is_open or self.concerns(signature))

    def changes(self, signature: PdfSignature, whole: Step) -> Step:
        """The step `changes` of one signature: that of the file (`whole`) where it concerns this one."""
        return whole if self.concerns(signature) else _UNCHANGED


def judge(found: Findings, document: Document, look: Look | None, places: int) -> History | None:
    """`places`: in how many places of the file a signature may stand. None when what the signatures cover is already
    wrong, or there is none that somebody made.
    """
    try:
        present = signatures.find(document)
        signed = [signatures.as_signed(document, signature) for signature in present]
    except PdfError as cause:
        if cause.reason == "COVERAGE":
            zh, en = (
                "签名没有完整覆盖其签署时的文件版本",
                "a signature does not cover the whole version it was made for",
            )
        elif cause.reason == "UNFINISHED":
            zh, en = "文件比签名写明的短，可能不完整", f"the file is cut short: {cause}"
        else:
            said, what = (
                "签名结构不受支持" if cause.unsupported else "签名结构不合规",
                change_words.structure(cause.reason),
            )
            zh, en = f"{said}：{what}" if what else said, f"signature structure: {cause}"
        found.add("coverage", Status.UNKNOWN if cause.unsupported else Status.INVALID, cause.reason, zh, en)
        return None
    if not signatures.by_signers(present):
        _unsigned(found, document, present, places)
        return None
    replaced = _signatures_before(document, present) if places > len(present) else None
    open_gap = _about_gaps(document, present, signed, places)
    if replaced is not None:
        found.add(
            "coverage",
            replaced,
            "SIGNATURE_REPLACED",
            "文件的早期版本另有签名，现已不在文件中",
            "an earlier version of the file bears another signature, which is there no more",
        )
    elif open_gap is not None:
        found.steps.append(open_gap)
    elif present[-1].covers_whole(document):
        found.add("coverage", Status.VALID, "WHOLE_FILE", "签名覆盖整个文件", "the signature covers the whole file")
    else:
        found.add("coverage", Status.VALID, "REVISION", "签名覆盖其所在版本", "the signature covers its revision")
    history = _changes(found, document, present, look)
    if open_gap is not None and history.status is Status.VALID:
        return replace(history, status=Status.UNKNOWN, is_open=True)
    return history


def _about_gaps(
    document: Document, present: Sequence[PdfSignature], signed: Sequence[Document], places: int
) -> Step | None:
    """Returns the step that leaves the verdict open because the unsigned bytes of a signature may be more than its
    value; None when they are not. `signed`: the versions that were signed.
    """
    try:
        elsewhere = gaps.is_elsewhere(document, present, places) or any(map(gaps.is_a_file_without, signed, present))
        shared = not elsewhere and (
            gaps.is_shared(document, *present) or gaps.is_pointed_at(document, [document, *signed], *present)
        )
    except PdfError as cause:
        zh, en = "签名的留空部分未能全部核对", f"whether the gap is the signature's alone could not be told: {cause}"
        return Step("coverage", Status.UNKNOWN, cause.reason, zh, en)
    if elsewhere:
        zh, en = (
            "同样的签名内容可以对应不同的文件",
            "the signed bytes may be another document with its gap elsewhere",
        )
        return Step("coverage", Status.UNKNOWN, "GAP_ELSEWHERE", zh, en)
    if shared:
        zh, en = (
            "签名的留空部分同时属于文件的其他内容，或被其他内容引用",
            "what the signature leaves unsigned is in another object, too, or another object leads to it",
        )
        return Step("coverage", Status.UNKNOWN, "GAP_SHARED", zh, en)
    return None


def _unsigned(found: Findings, document: Document, present: Sequence[PdfSignature], places: int) -> None:
    if present:
        zh, en = "文件只有时间戳，没有任何人的签名", "the document bears timestamps and nobody's signature"
        found.add("coverage", Status.UNKNOWN, "TIMESTAMP_ONLY", zh, en)
    elif places and _signatures_before(document, ()) is not None:
        zh, en = "文件曾有电子签名，但已被移除", "the document was signed once, and the signature was taken out"
        found.add("coverage", Status.INVALID, "SIGNATURE_REMOVED", zh, en)
    elif places:
        zh, en = (
            "文件里有签名数据，但没有登记为签名",
            "data of a signature, to which no field of the form leads",
        )
        found.add("coverage", Status.UNKNOWN, "SIGNATURE_UNLISTED", zh, en)
    else:
        found.add("coverage", Status.INVALID, "NO_SIGNATURE", "文件没有电子签名", "the document is not signed")


def _signatures_before(document: Document, present: Sequence[PdfSignature]) -> Status | None:
    """UNKNOWN when an earlier version of the document that still lies in the file was signed by others than those that
    are `present`, or may have been; INVALID when such a signature certified it; None otherwise.
    """
    gaps = {signature.gap for signature in present}
    own = [(holder.start, holder.end) for each in present if (holder := document.object(each.number)) is not None]
    tried = 0
    for place in _BYTE_RANGE.finditer(document.data, 0, document.end):
        if any(start < place.start() < end for start, end in own):
            continue
        for end in islice((found.end() for found in _END.finditer(document.data, place.end(), document.end)), 2):
            tried += 1
            if tried > _MOST_ENDS:
                return Status.UNKNOWN
            for signature in _signatures_at(document, end):
                if signature.gap not in gaps:
                    return Status.UNKNOWN if signature.permission is None else Status.INVALID
    return None


def _signatures_at(document: Document, end: int) -> list[PdfSignature]:
    try:
        before = document.until(end)
        return [each for each in signatures.find(before) if each.covers_whole(before)]
    except PdfError:
        return []


def earlier_ends(data: bytes, before: int) -> list[int]:
    """Returns the offsets at which earlier versions in the file may end, the newest first; a few are enough."""
    return [found.end() for found in _END.finditer(data, 0, before) if found.end() < before][: -_MOST_ENDS - 1 : -1]


def appended(found: Findings, history: History, tail: bytes) -> History:
    """`tail`: after the last version, what nobody can read as a part of it and no signature covers."""
    found.steps = [step for step in found.steps if step.step != "changes"]
    covers_no_more(found)
    stray = len(tail)
    if not tail.strip(_PADDING):
        return replace(history, status=_say_padded(found, stray), stray=stray)
    found.add(
        "changes",
        Status.INVALID,
        "STRAY_BYTES",
        f"签名后文件末尾被追加了 {stray} 字节不属于文件的内容",
        f"after signing {stray} bytes were appended that belong to no part of the document",
    )
    return replace(history, status=Status.INVALID, stray=stray)


def _say_padded(found: Findings, size: int) -> Status:
    zh, en = f"签名后文件末尾被填充了 {size} 字节空白", f"after signing the end was padded with {size} blank bytes"
    return _say(found, Status.UNKNOWN, "PADDED", zh, en)


def covers_no_more(found: Findings) -> None:
    """Takes back that a signature covers the whole file: something stands behind what those cover that count."""
    if any(step.step == "coverage" and step.reason == "WHOLE_FILE" for step in found.steps):
        found.steps = [step for step in found.steps if step.step != "coverage"]
        zh, en = "签名覆盖其所在版本，不包括末尾追加的内容", "the signature covers its revision, not what was appended"
        found.add("coverage", Status.VALID, "REVISION", zh, en)


def _changes(found: Findings, document: Document, present: Sequence[PdfSignature], look: Look | None) -> History:
    end = document.end
    certified = any(s.permission is not None for s in present)
    if present[0].covers_whole(document) and not (certified and end > present[-1].covered_to):
        if end > present[0].covered_to and _has_another_beginning(found, document, present[0].covered_to):
            return History(present, (), end, Status.UNKNOWN)
        if document.data[present[-1].covered_to : end] not in _LINE_ENDS:
            stray = end - present[-1].covered_to
            return History(present, (), end, _say_padded(found, stray), stray=stray)
        found.steps.append(_UNCHANGED)
        return History(present, (), end, Status.VALID)
    if certified and present[-1].covers_whole(document) and end > present[-1].covered_to:
        # It draws nothing; but what was certified was certified to the byte.
        covers_no_more(found)
        stray = end - present[-1].covered_to
        return History(present, (), end, _say_padded(found, stray), stray=stray)
    try:
        passages = changes.history(document, present)
    except PdfError as cause:
        zh, en = "签名后的修改未能全部解读", f"what came after a signature could not be read: {cause}"
        found.add("changes", Status.UNKNOWN, cause.reason, zh, en)
        return History(present, (), end, Status.UNKNOWN)
    status = _status(found, present, passages, document, look)
    signed_to = signatures.by_signers(present)[-1].covered_to
    renewed = status is Status.VALID and all(
        not signatures.by_signers(passage.signed) and not passage.filled
        for passage in passages
        if passage.before >= signed_to
    )
    return History(present, passages, signed_to if renewed else end, status)


def _has_another_beginning(found: Findings, document: Document, signed_to: int) -> bool:
    """Tells whether white space behind the signed bytes lets some reader begin elsewhere; with its finding."""
    try:
        if not pdf_rebuilt.begins_otherwise(document, signed_to):
            return False
    except PdfError as cause:
        zh, en = "签名后的修改未能全部解读", f"what came after a signature could not be read: {cause}"
        _say(found, Status.UNKNOWN, cause.reason, zh, en)
        return True
    _say_ambiguous(found, pdf_rebuilt.UNDECIDED)
    return True


def _status(
    found: Findings,
    present: Sequence[PdfSignature],
    passages: Sequence[Passage],
    document: Document,
    look: Look | None,
) -> Status:
    change = next((passage.change for passage in passages if passage.change), None)
    # What only a later signature forbids may be forbidden by anybody.
    permission = signatures.by_signers(present)[0].permission
    certified, forbidding = permission is not None, permission == 1
    if change is not None and ((certified and not change.unclear) or forbidding or change.locked):
        if change.en == changes.SAVED_AGAIN:
            zh, en = "签名后文件又被保存，没有增加内容，但首个签名不允许再保存", f"after signing {change.en}"
            return _say(found, Status.INVALID, "SAVED_AGAIN", zh, en)
        said = "签名后修改了已锁定的签名域" if change.locked else "签名后文件有签名以外的修改"
        zh, en = _why(change, said)
        return _say(found, Status.INVALID, "LOCKED" if change.locked else "CHANGED", zh, en)
    if change is None and (status := _ambiguous(found, document, passages)) is not None:
        return status
    if change is not None and change.is_note:
        return _say_changed(found, present, passages)
    seen = _looked(document, passages, look)
    if seen.seen is Seen.DIFFERENT:
        return _say(
            found,
            Status.INVALID,
            "PAGES_DIFFER",
            f"签名后页面内容被改动（第 {seen.page} 页）" if seen.page else "签名后页面内容被改动",
            f"page {seen.page} looks different than when it was signed"
            if seen.page
            else "the number of pages differs from what was signed",
        )
    if change is not None:
        return _say_changed(found, present, passages)
    if seen.seen is Seen.COVERED:
        return _say(
            found,
            Status.UNKNOWN,
            "COVERS_CONTENT",
            f"后加的签名外观盖住了第 {seen.page} 页原有的内容",
            f"a signature that was added later covers what page {seen.page} showed",
        )
    if seen.seen is Seen.UNSEEN:
        return _say(
            found,
            Status.UNKNOWN,
            "PAGES_NOT_COMPARED",
            "未能比对签名前后的页面",
            f"the pages could not be compared with how they were signed: {seen.why}",
        )
    if seen.seen is Seen.TOO_MANY:
        return _say(
            found,
            Status.UNKNOWN,
            "PAGES_TOO_MANY",
            f"页数与签章次数的乘积过大，超过 {second_look.MOST_PAGES} 页，未逐页比对",
            f"the pages were not compared with how they were signed: {seen.why}",
        )
    return _lawful(found, present, passages)


def _say_changed(found: Findings, present: Sequence[PdfSignature], passages: Sequence[Passage]) -> Status:
    """A change that nobody forbade: after the last signature, or before one that covers it, which its signer saw."""
    signed_to = signatures.by_signers(present)[-1].covered_to
    changed = [(passage.before < signed_to, passage.change) for passage in passages if passage.change is not None]
    covered, change = min(changed, key=lambda each: each[0])
    if not covered:
        zh, en = _why(change, "最后一次签名之后文件有签名以外的修改")
        return _say(found, Status.UNKNOWN, "LATER_REVISION", zh, en)
    if change.en.endswith(_TOO_LARGE):
        zh, en = _why(change, "后签的人所加的签名域过大")
        return _say(found, Status.UNKNOWN, "FIELD_TOO_LARGE", zh, en)
    zh, en = _why(change, "先后两次签名之间文件有签名以外的修改，后一签名已覆盖")
    return _say(found, Status.UNKNOWN, "CHANGED_BETWEEN", zh, f"{en}; a later signature covers it")


def _ambiguous(found: Findings, document: Document, passages: Sequence[Passage]) -> Status | None:
    """UNKNOWN, with its finding, where a reader that rebuilds the file sees other objects."""
    try:
        # What an update writes anew would heal what the signed version had.
        reached = frozenset().union(*(passage.reached for passage in passages))
        earlier = [document.until(passage.before) for passage in passages]
        versions = [(document, reached), *((each, _standing(each, reached)) for each in earlier)]
        number = pdf_rebuilt.disagreement(versions, passages[0].before)
        if number is None and pdf_rebuilt.hides_objects(document, earlier):
            number = pdf_rebuilt.UNDECIDED
    except PdfError as cause:
        zh, en = "签名后的修改未能全部解读", f"what came after a signature could not be read: {cause}"
        return _say(found, Status.UNKNOWN, cause.reason, zh, en)
    if number is None:
        return None
    return _say_ambiguous(found, number)


def _standing(version: Document, reached: frozenset[int]) -> frozenset[int]:
    """Returns those of `reached` that exist in the earlier version."""
    return frozenset(n for n in reached if version.entries.get(n, FREE).place != Place.FREE)


def _say_ambiguous(found: Findings, number: int) -> Status:
    zh, en = "文件可以有两种解读，不同的阅读软件可能显示不同的内容", "readers may see different documents"
    if number != pdf_rebuilt.UNDECIDED:
        en += f": object {number} is in two places"
    return _say(found, Status.UNKNOWN, "AMBIGUOUS", zh, en)


def _looked(document: Document, passages: Sequence[Passage], look: Look | None) -> Comparison:
    if look is None:
        return Comparison(Seen.UNSEEN, why="no renderer")
    try:
        pages = len(document.pages())
    except PdfError as cause:
        return Comparison(Seen.UNSEEN, why=str(cause))
    return look(document.content, second_look.versions(passages, pages))


def _lawful(found: Findings, present: Sequence[PdfSignature], passages: Sequence[Passage]) -> Status:
    signed_to = signatures.by_signers(present)[-1].covered_to
    after = [passage for passage in passages if passage.before >= signed_to]
    since = [name for passage in after for name in passage.filled]
    if since:
        # The certification lets anybody fill it in; nobody has signed what was written.
        return _say(
            found,
            Status.UNKNOWN,
            "FILLED_SINCE",
            f"最后一次签名之后填写了表单项（{_listed(since)}），无人对其签名",
            f"form fields were filled in after the last signature and nobody signed them: {_listed(since)}",
        )
    filled = [name for passage in passages for name in passage.filled]
    if filled:
        return _say(
            found,
            Status.VALID,
            "FILLED",
            f"首个签名之后填写了其允许填写的表单项（{_listed(filled)}），并由后来的签名确认",
            f"form fields that the certification lets be filled in were, and signed later: {_listed(filled)}",
        )
    if after and not any(passage.signed or passage.validation for passage in after):
        return _say(
            found,
            Status.VALID,
            "SAVED_WITH_NOTHING",
            "签名后文件被另存过，没有增加任何内容",
            "after the last signature the file was saved again, and nothing was added",
        )
    if after and not any(signatures.by_signers(passage.signed) for passage in after):
        return _say(
            found,
            Status.VALID,
            "RENEWED",
            "签名后只增加了验证数据和文档时间戳（续期）",
            "after the last signature nothing was added but validation data and document timestamps (renewal)",
        )
    return _say(
        found,
        Status.VALID,
        "SIGNED_ONLY",
        "首个签名之后只有签名和验证数据",
        "after the first signature nothing was added but signatures and validation data",
    )


def _say(found: Findings, status: Status, reason: str, zh: str, en: str) -> Status:
    found.add("changes", status, reason, zh, en)
    return status


def _why(change: Change, said: str) -> tuple[str, str]:
    """Says what was done, behind `said` in Chinese."""
    called = change_words.called(change.en)
    en = f"after a signature more was done than signing: {shown(change.en)}"
    return f"{said}：{shown(called)}" if called else said, en


def _listed(names: Sequence[str]) -> str:
    listed = list(dict.fromkeys(map(shown, names)))
    return "、".join(listed[:_MOST_NAMES]) + (" …" if len(listed) > _MOST_NAMES else "")


def _told(passage: Passage) -> list[Sentence]:
    """Says what came in one passage."""
    found: list[Sentence] = []
    for signature in passage.signed:
        name = shown(signature.name)
        if signature.is_timestamp:
            found.append(Sentence("加盖文档时间戳", "a document timestamp"))
        else:
            found.append(Sentence(f"另一签名（{name}）", f"another signature ({name})"))
    if passage.filled:
        names = _listed(passage.filled)
        found.append(Sentence(f"填写表单项：{names}", f"form fields filled in: {names}"))
    if passage.validation:
        found.append(Sentence("增加验证数据", "validation data"))
    if passage.change:
        found.append(Sentence(*_why(passage.change, "签名以外的修改")))
    return found or [Sentence("文件被另存，没有增加内容", "the file was saved again with nothing added")]
