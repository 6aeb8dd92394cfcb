"""Documents of flows: a scenario's own page, the marks that signatures show, and fields in what was uploaded.

Everything here is work for an executor's threads; each has a typesetter of its own.
"""

import datetime as dt
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import typst

from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.pdf.appearance import PageDrawing, Picture
from services.esign.domain.pdf.document import Document
from services.esign.flows.domain import page as flow_page
from services.esign.flows.domain import scenarios as flow_scenarios
from services.esign.flows.domain.page import Place
from services.esign.flows.domain.scenarios import Scenario, ScenarioStep
from services.esign.pages import fonts
from services.esign.pages.layout import TEMPLATES_DIR, require_coverage
from services.esign.revisions.domain import second_look
from services.esign.seals import pictures
from services.esign.signing.domain import multisign
from services.esign.signing.domain.multisign import Field, Lock, LockAction
from shuniu.china_time import CHINA

_CONTROL = frozenset(map(chr, (*range(32), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)))
# Longer than any answer in an interview that fits on two pages.
MOST_FACT = 2000
MOST_FACTS = 4000
# Seals of one region's agencies, drawn once each.
_SEALS_KEPT = 64
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document with a field for each signer, and its SHA-256 in hex."""

    pdf: bytes
    sha256: str


def own(
    scenario: Scenario, signers: Sequence[ScenarioStep], facts: Mapping[str, str], number: str, at_us: int
) -> Prepared:
    """The scenario's own document. Raises DocumentUnfitError, CharacterNotCoveredError."""
    _check(scenario, facts)
    require_coverage([("title", scenario.title), *((step.key, step.title) for step in signers), *facts.items()])
    made = flow_page.places([step.actor for step in signers])
    pdf = _compile(
        "document-page",
        {
            "title": scenario.title,
            "number": number,
            "date": _day(at_us),
            "facts": flow_scenarios.page_facts(scenario, facts),
            "paragraphs": flow_scenarios.page_text(scenario, facts),
            "places": [
                {"title": step.title, "x": place.x, "y": place.y, "width": place.width, "height": place.height}
                for step, place in zip(signers, made, strict=True)
            ],
            "foot": flow_page.foot(made),
        },
        at_us,
    )
    return _with_fields(pdf, signers, made)


def foreign(pdf: bytes, signers: Sequence[ScenarioStep]) -> Prepared:
    """Adds invisible fields to a document that a platform uploaded: nothing is put over text that the hub has not laid
    out.

    Raises DocumentUnfitError: what the strict reader or the shadow scan found.
    """
    return _with_fields(pdf, signers, [])


@dataclass(frozen=True, slots=True)
class Unfit:
    """The reason why a document cannot be signed, as a worker process can hand it back."""

    reason: str
    en: str
    zh: str


def try_foreign(pdf: bytes, signers: Sequence[ScenarioStep]) -> Prepared | Unfit:
    """`foreign`, in a worker process."""
    try:
        return foreign(pdf, signers)
    except DocumentUnfitError as error:
        return Unfit(error.reason, error.en, error.zh)


def person_mark(name: str, place: Place, at_us: int) -> PageDrawing:
    """Draws what a person's signature shows. Raises CharacterNotCoveredError."""
    require_coverage([("name", name)])
    moment = dt.datetime.fromtimestamp(at_us // 1_000_000, CHINA).strftime("%Y-%m-%d %H:%M:%S")
    return PageDrawing(
        _compile("person-mark", {"name": name, "time": moment, "width": place.width, "height": place.height}, at_us)
    )


@lru_cache(maxsize=_SEALS_KEPT)
def seal_mark(name: str) -> Picture:
    """Draws the round seal that a platform's signature shows, as one picture. Raises CharacterNotCoveredError,
    DocumentUnfitError.
    """
    return Picture.of_png(pictures.round_seal(name).data)


def _with_fields(pdf: bytes, signers: Sequence[ScenarioStep], made: Sequence[Place]) -> Prepared:
    page = _last_page(pdf) if made else 0
    last = max(step.group for step in signers)
    alone = [step.group for step in signers].count(last) == 1
    fields = [
        Field(
            step.key,
            page,
            made[at].points if made else multisign.INVISIBLE,
            # Whoever signs last and alone closes the document; the others lock what they signed.
            Lock(LockAction.ALL) if alone and step.group == last else Lock(LockAction.INCLUDE, (step.key,)),
        )
        for at, step in enumerate(signers)
    ]
    prepared = multisign.prepare(pdf, fields)
    _check_pages(prepared, len(signers))
    return Prepared(prepared, sha256(prepared).hexdigest())


@multisign.typed
def _check_pages(prepared: bytes, signers: int) -> None:
    """The hub's own verifier has to be able to compare the closed document with what each signer saw: one version for
    each, and one for the proof that a close at B-LT, or a renewal, adds. Raises DocumentUnfitError.
    """
    versions = signers + 1
    pages = len(Document(prepared).pages())
    if second_look.drawings_of(pages, versions) > second_look.MOST_PAGES:
        most = second_look.MOST_PAGES // second_look.drawings_of(1, versions)
        raise DocumentUnfitError(
            "TOO_MANY_PAGES",
            f"a document that {signers} are to sign has {most} pages at most, and this one has {pages}: beyond "
            "that, its pages could not be compared with what was signed",
            f"由 {signers} 方签署的文件最多 {most} 页，此文件有 {pages} 页；超过后无法逐页比对，核验不能得出结论",
            most=str(most),
            pages=str(pages),
        )


def _last_page(pdf: bytes) -> int:
    return len(Document(pdf).pages()) - 1


def _check(scenario: Scenario, facts: Mapping[str, str]) -> None:
    known = {fact.name for fact in scenario.facts}
    missing = sorted(fact.name for fact in scenario.facts if fact.required and not facts.get(fact.name, "").strip())
    unknown = sorted(set(facts) - known)
    if missing or unknown or not scenario.paragraphs:
        raise DocumentUnfitError(
            "FACTS",
            "facts are missing or not the scenario's",
            "缺少必填内容，或有场景未定义的内容",
            missing=",".join(missing),
            unknown=",".join(unknown)[:200],
        )
    if any(len(value) > MOST_FACT for value in facts.values()) or sum(map(len, facts.values())) > MOST_FACTS:
        raise DocumentUnfitError("FACTS_TOO_LONG", "the facts are too long", "内容过长")
    if bad := sorted(name for name, value in facts.items() if _CONTROL & set(value)):
        raise DocumentUnfitError(
            "FACT_UNPRINTABLE", "control characters in a fact", "内容含控制字符", names=",".join(bad)
        )


def _day(at_us: int) -> str:
    day = dt.datetime.fromtimestamp(at_us // 1_000_000, CHINA)
    return f"{day.year}年{day.month}月{day.day}日"


def _compile(function: str, data: Mapping[str, Any], at_us: int) -> bytes:
    # A typst string ends at a quotation mark and escapes by a backslash, as JSON's do.
    quoted = json.dumps(json.dumps(data, ensure_ascii=False), ensure_ascii=False)
    main = f'#import "flow.typ": {function}\n#show: _ => {function}(json(bytes({quoted})))\n'.encode()
    try:
        pdf = _compiler().compile(main, pdf_standards="a-2b", timestamp=at_us // 1_000_000, pdf_tags=False)
    except typst.TypstError as cause:
        raise DocumentUnfitError("LAYOUT", "the page cannot be laid out", "版面无法生成") from cause
    assert isinstance(pdf, bytes)
    return pdf


def _compiler() -> typst.Compiler:
    kept: typst.Compiler | None = getattr(_local, "compiler", None)
    if kept is None:
        found = fonts.read()
        kept = _local.compiler = typst.Compiler(root=str(TEMPLATES_DIR), font_paths=found, ignore_system_fonts=True)
    return kept
