"""Judges what the signatures of an OFD package cover, and what came after each: the steps coverage and changes.

A package has no revisions: a signature protects the files whose digests it holds, and what it leaves out may have been
there or have come later. Lawfully outside are the signatures' own files, for a later signer adds them. A protected file
that is gone or differs is a change; any other file that a signature does not protect is told and leaves the verdict
open, because nobody can know who put it there. So does a document that leads to a file that is not there, or to one of
the signatures' own: whoever writes that file later writes a part of the document.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.esign.domain.findings import Findings
from services.esign.domain.ofd.package import Package
from services.esign.domain.shown_names import shown
from services.esign.domain.verdict import Sentence, Status, Step
from services.esign.verification.domain.ofd import reach
from services.esign.verification.domain.ofd.reach import Reach
from services.esign.verification.domain.ofd.signatures import OfdSignature, is_description
from services.esign.verification.domain.ofd.stamps import Stamps

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Covered:
    """The coverage of one signature: protected files that are gone, that differ, files of the document that it leaves
    out, and those of them that a later signature protects. `followers`: signatures that came later, or may have.
    `astray`: files of the signatures that the document leads to. `unlisted`: protected descriptions of signatures that
    the list lacks.
    """

    signature: OfdSignature
    missing: tuple[str, ...]
    differing: tuple[str, ...]
    left_out: tuple[str, ...]
    protected_later: tuple[str, ...]
    followers: tuple[OfdSignature, ...]
    reach: Reach
    astray: tuple[str, ...]
    unlisted: tuple[str, ...]
    stamped: Step | None

    @property
    def is_intact(self) -> bool:
        return not (self.missing or self.differing)

    @property
    def is_open(self) -> bool:
        """Tells whether the document holds, or may hold, something that the signature does not protect."""
        return bool(self.left_out or self.astray or self.signature.foreign)


def cover(package: Package, signatures: Sequence[OfdSignature]) -> tuple[Covered, ...]:
    """In the order of the signatures. Raises OfdError when a file is not what its headers say."""
    own = frozenset({package.signatures or ""}).union(*(signature.own for signature in signatures))
    content = sorted(frozenset(package.files.files) - own)
    reached = reach.follow(package)
    astray = tuple(sorted(reached.files & own))
    unlisted = frozenset(name for name in content if name not in reached.files and is_description(package.files, name))
    stamps = Stamps(reached, list(package.pages))
    found: list[Covered] = []
    for signature in signatures:
        # The order of the list says nothing, for anybody can write it anew: what a signature protects is older, with
        # all of its files. A description that is protected may be signed anew, and shown by another seal.
        followers = tuple(s for s in signatures if s is not signature and not s.own <= signature.protected)
        later = frozenset[str]().union(*(follower.protected for follower in followers))
        left_out = tuple(name for name in content if name not in signature.protected)
        found.append(
            Covered(
                signature,
                tuple(each.location for each in signature.references if each.file is None),
                _differing(package, signature),
                left_out,
                tuple(name for name in left_out if name in later),
                followers,
                reached,
                astray,
                tuple(sorted(unlisted & signature.protected)),
                stamps.judge(signature, followers),
            )
        )
    return tuple(found)


def _differing(package: Package, signature: OfdSignature) -> tuple[str, ...]:
    found = {
        each.file
        for each in signature.references
        if each.file is not None and package.digest(each.file, signature.digest) != each.value
    }
    return tuple(sorted(found))


def steps(found: Findings, package: Package, covered: Sequence[Covered]) -> None:
    """The steps coverage and changes of the whole document: the worst of its signatures."""
    for one in covered:
        found.take((coverage_step(one), changes_step(package, one)))


def coverage_step(one: Covered) -> Step:
    if not one.signature.references:
        return Step("coverage", Status.INVALID, "NOTHING", "签名没有保护任何文件", "the signature covers no file")
    if one.left_out:
        return Step(
            "coverage",
            Status.UNKNOWN,
            "UNPROTECTED",
            f"包内有签名未保护的文件：{_named(one.left_out)}，无法确认是否为签名后加入；请向出具单位核实这些内容",
            f"files that the signature does not cover: {_named(one.left_out)}; ask the issuer about their content",
        )
    whole = Step("coverage", Status.VALID, "WHOLE_FILE", "签名覆盖包内全部文件", "the signature covers every file")
    return _astray(one) or _absent(one.reach) or whole


def _astray(one: Covered) -> Step | None:
    """Names what stands where no signature protects it, in the signatures' own files; None: nothing."""
    if one.astray:
        return Step(
            "coverage",
            Status.UNKNOWN,
            "CONTENT_IN_SIGNATURES",
            f"文档内容指向签名自身的文件：{_named(one.astray)}，这些文件不受签名保护；请向出具单位索取原件",
            f"the document leads to files of the signatures, which none covers: {_named(one.astray)}; "
            "ask the issuer for the original",
        )
    if one.signature.foreign:
        named = shown(one.signature.foreign)
        return Step(
            "coverage",
            Status.UNKNOWN,
            "SIGNATURE_FOREIGN",
            f"签名列表或签名描述中有标准以外的内容：{named}，未作判断；请用出具单位提供的阅读软件核验",
            f"the list or the description of a signature holds what the standard does not have there: {named}: "
            "not judged; check it with the issuer's own reader",
        )
    return None


def _absent(reached: Reach) -> Step | None:
    """Names what nobody can protect, because it is not there, is several files or cannot be told; None: nothing."""
    if reached.ambiguous:
        return Step(
            "coverage",
            Status.UNKNOWN,
            "LOCATION_AMBIGUOUS",
            f"文档中的路径可指向包内不同的文件：{_named(reached.ambiguous)}，无法唯一解读；请向出具单位索取原件",
            f"locations that lead to different files, depending on the reader: {_named(reached.ambiguous)}; "
            "ask the issuer for the original",
        )
    if reached.missing:
        return Step(
            "coverage",
            Status.UNKNOWN,
            "TARGET_MISSING",
            f"文档引用的文件不在包内：{_named(reached.missing)}，以后可能被人补入；请向出具单位索取完整原件",
            f"the document names files that are not in the package, so that somebody may add them: "
            f"{_named(reached.missing)}; ask the issuer for the complete original",
        )
    if reached.unread:
        return Step(
            "coverage",
            Status.UNKNOWN,
            "TARGET_UNREAD",
            f"无法确定这些文件引用了什么：{_named(reached.unread)}，未作判断；请用出具单位提供的阅读软件核验",
            f"what these files lead to cannot be told: {_named(reached.unread)}: not judged; "
            "check it with the issuer's own reader",
        )
    return None


def changes_step(package: Package, one: Covered) -> Step:
    if one.missing:
        return Step(
            "changes",
            Status.INVALID,
            "PROTECTED_MISSING",
            f"签名保护的文件已被删除：{_named(one.missing)}",
            f"files that the signature covers are gone: {_named(one.missing)}",
        )
    if one.differing:
        return Step(
            "changes",
            Status.INVALID,
            "CHANGED",
            f"签名保护的文件已被修改：{_named(one.differing)}",
            f"files that the signature covers were changed: {_named(one.differing)}",
        )
    if package.document not in one.signature.protected:
        return Step(
            "changes",
            Status.INVALID,
            "OTHER_DOCUMENT",
            "打开此文件显示的文档不是签名所保护的文档",
            "the document that opens is not one that the signature covers",
        )
    if one.protected_later:
        return Step(
            "changes",
            Status.UNKNOWN,
            "ADDED",
            f"先前的签名未保护、后来的签名才保护的文件：{_named(one.protected_later)}，可能是其后加入的；请向签名单位核实",
            f"covered by a later signature only, perhaps added since: {_named(one.protected_later)}; ask who signed",
        )
    return _struck_off(one) or one.stamped or _unchanged(one)


def _struck_off(one: Covered) -> Step | None:
    """Anybody can write the list anew, and no reader shows what it leaves out; None: it leaves out nothing."""
    if not one.unlisted:
        return None
    return Step(
        "changes",
        Status.UNKNOWN,
        "SIGNATURE_UNLISTED",
        f"包内有未列入签名列表的签名：{_named(one.unlisted)}，可能已被人从列表中去掉；请向出具单位索取原件",
        f"signatures that the list does not name: {_named(one.unlisted)}, perhaps struck off since; "
        "ask the issuer for the original",
    )


def _unchanged(one: Covered) -> Step:
    if one.is_open:
        return Step(
            "changes",
            Status.UNKNOWN,
            "MAYBE_ADDED",
            "签名未保护的内容可能是签名后加入或修改的",
            "what the signature does not cover may have been added or changed since",
        )
    if one.followers:
        return Step(
            "changes",
            Status.VALID,
            "SIGNED_ONLY",
            "首个签名之后只有签名和验证数据",
            "after the first signature nothing was added but signatures",
        )
    return Step("changes", Status.VALID, "UNCHANGED", "签名后没有追加内容", "nothing was appended after signing")


def covers(package: Package, one: Covered) -> Sentence:
    """Says to people what a signature covers."""
    count = len(one.signature.protected)
    pages = sorted({stamp.page for stamp in one.signature.stamps})
    order = list(package.pages)
    shown = "、".join(str(order.index(page) + 1) for page in pages if page in package.pages)
    where_zh = f"，盖章在第 {shown} 页" if shown else "，没有可见的签章"
    where_en = f", stamped on page {shown.replace('、', ', ')}" if shown else ", without a visible stamp"
    if not one.left_out:
        return Sentence(f"保护包内全部 {count} 个文件{where_zh}", f"all {count} files of the package{where_en}")
    return Sentence(
        f"保护 {count} 个文件，未保护 {_named(one.left_out)}{where_zh}",
        f"{count} files, not {_named(one.left_out)}{where_en}",
    )


def later(one: Covered) -> tuple[Sentence, ...]:
    """Says to people what came after a signature, or may have."""
    found = []
    if one.differing or one.missing:
        what = _named((*one.differing, *one.missing))
        found.append(Sentence(f"之后被修改或删除：{what}", f"changed or removed since: {what}"))
    if one.protected_later:
        what = _named(one.protected_later)
        found.append(Sentence(f"只有之后的签名保护：{what}", f"covered by later signatures only: {what}"))
    after = sum(one.signature.file in follower.protected for follower in one.followers)
    if after:
        found.append(Sentence(f"之后有 {after} 个签名", f"{after} later signatures"))
    if beside := len(one.followers) - after:
        found.append(
            Sentence(f"另有 {beside} 个签名，先后无法确认", f"{beside} other signatures, before or after it: not known")
        )
    return tuple(found)


def _named(names: Sequence[str]) -> str:
    listed = "、".join(map(shown, names[:_NAMED]))
    return listed if len(names) <= _NAMED else f"{listed} 等 {len(names)} 个"
