"""Every reason that a step of a verdict can have, read from the code that says it: for docs/verdict.md and tests."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from services.esign.domain.verdict import STEPS, Form, Outcome, Status, Step, Verdict
from services.esign.licences.domain import check as licence_check
from services.esign.seals.domain.life import SealState
from services.esign.verification.domain.sentences.verdict_words import Summary, explain, own_words
from services.esign.verification.domain.validation_report import sub_indication

ROOT: Final = Path(__file__).parents[1]
# Where verdicts are made. What these import of esign is read too.
_MAKERS: Final = (
    "services.esign.ses.document",
    "services.esign.verification.files",
    "services.esign.verification.service.register",
    "services.esign.verification.service.verification",
    "services.esign.licences.service",
    "services.esign.verification.domain.verify",
    "services.esign.domain.ofd",
    "services.esign.verification.domain.code_verdict",
    "services.esign.licences.domain.check",
    "services.esign.licences.domain.offline",
    "services.esign.pages.domain.qr",
    "services.esign.ses.domain.check",
)
# Refusals of the readers that become a step, and of which one. Others end a call, not a step.
_CAUGHT: Final[dict[str, tuple[str, ...]]] = {
    "PdfError": ("parse", "coverage"),
    "OfdError": ("parse", "coverage"),
    "CmsError": ("integrity", "time"),
    "ChainError": ("signer", "chain"),
    "TimestampInvalidError": ("time",),
    "NoteMalformedError": ("ledger",),
    "NoteUntrustedError": ("ledger",),
    "ProofWrongError": ("ledger",),
    "QrMalformedError": ("integrity",),
    "TokenMalformedError": ("parse", "coverage", "integrity", "time", "holder", "document"),
    "TokenWrongError": ("integrity", "holder", "document"),
}
# Errors with a flag that tells INVALID from UNKNOWN; for other errors the code that catches them decides.
_FLAGGED: Final = frozenset({"PdfError", "OfdError", "CmsError", "ChainError", "TimestampInvalidError"})
_CHINESE_FIRST: Final = frozenset({"ChainError", "OfdError", "TimestampInvalidError"})
_BAD: Final = (Status.INVALID, Status.UNKNOWN)
# What is refused when something is made or prepared for signing, not when it is judged.
_OF_MAKING: Final = frozenset(
    f"services.esign.{name}"
    for name in (
        *("domain.pdf.shadow", "domain.pdf.writer", "domain.cms.signed_data", "certification.domain.pki"),
        *("timestamps.domain.token", "pages.domain.certificates", "seals.domain.life", "licences.domain.types"),
    )
)
# A seal's own steps are one step of the document, and its reasons have a beginning there.
_OF_SEALS: Final = ("services.esign.ses.domain.check", "services.esign.ses.domain.validity")
# How a seal stood, or stands: `…` is a state.
_OF_A_STATE: Final = "SEAL_…"
_TEXTS: Final = frozenset({"zh", "en"})
ORDER: Final = tuple(dict.fromkeys((*STEPS[:7], *licence_check.STEPS, *STEPS)))
_DOMAIN: Final = re.compile(r"services\.esign\.(\w+\.)?domain\b")
_REASON: Final = re.compile(r"[A-Z][A-Z0-9…]*(_[A-Z0-9…]+)*")


@dataclass(frozen=True, slots=True)
class _Said:
    """The words of one call."""

    reasons: tuple[str, ...]
    steps: tuple[str, ...]
    statuses: tuple[Status, ...]
    zh: str
    en: str


@dataclass(slots=True)
class Reason:
    """One reason: the steps it is said of, as which status, and everything that says it."""

    name: str
    steps: set[str] = field(default_factory=set)
    statuses: set[Status] = field(default_factory=set)
    said: list[_Said] = field(default_factory=list)

    def text(self, statuses: Iterable[Status], step: str) -> tuple[str, str]:
        """As it is said first with one of these statuses, of this step where there is a choice; ("", "") if nowhere."""
        as_these = (each for each in self.said if not each.statuses or set(each.statuses) & set(statuses))
        fitting = [each for each in as_these if each.zh or each.en]
        fitting.sort(key=lambda each: bool(each.steps) and step not in each.steps)
        return (fitting[0].zh, fitting[0].en) if fitting else ("", "")

    def texts(self, statuses: Iterable[Status], step: str) -> tuple[str, str]:
        """As `text`, with everything else that is said so of this step."""
        first = self.text(statuses, step)
        own = [
            each
            for each in self.said
            if (step in each.steps or not step) and set(each.statuses) & set(statuses) and each.zh
        ]
        found = dict.fromkeys([first, *((each.zh, each.en) for each in own)])
        return "；或：".join(zh for zh, _ in found), "; or: ".join(en for _, en in found)

    def statuses_of(self, steps: Iterable[str]) -> set[Status]:
        """As what it is said of these steps; where the code does not tell, of any."""
        found = {status for each in self.said if set(each.steps) & set(steps) for status in each.statuses}
        return found or self.statuses


@dataclass(frozen=True, slots=True)
class _Speaker:
    """A function that takes a reason: the places of its arguments, and their defaults."""

    parameters: tuple[str, ...]
    steps: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()


@cache
def verdict_reasons() -> dict[str, Reason]:
    """Every reason, by name; `…` stands for a value, as the state of a seal."""
    found: dict[str, Reason] = {}
    for module in sorted(_modules()):
        for said in _said(ast.parse(_file(module).read_text("utf-8"))):
            seal = module in _OF_SEALS
            for each in said.reasons:
                name = f"SES_{each.removeprefix('SES_')}" if seal else each
                reason = found.setdefault(name, Reason(name))
                reason.steps |= {"ses"} if seal else set(said.steps)
                reason.statuses |= set(said.statuses)
                reason.said.append(said)
    return dict(sorted(found.items()))


def _said(tree: ast.Module) -> Iterator[_Said]:
    speakers = _speakers(tree)
    for call, values in _calls(tree):
        speaker = speakers.get(_name(call.func))
        if speaker is None:
            continue
        given = dict(zip(speaker.parameters, call.args, strict=False))
        given |= {each.arg: each.value for each in call.keywords if each.arg}
        given = {name: _resolved(name, value, call, values) for name, value in given.items()}
        reasons = _reasons(given.get("reason"))
        if not reasons:
            continue
        steps = tuple(_literals(given.get("step"))) or speaker.steps
        statuses = _statuses(given.get("status")) or _by_flag(given) or speaker.statuses
        zh, en = ("；或：".join(_literals(given.get("zh"))), "; or: ".join(_literals(given.get("en"))))
        yield _Said(reasons, steps, statuses, zh, en)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, dict[str, list[ast.expr]]]]:
    """Every call, with what the names of the module and of the function around it can stand for."""
    inside: set[ast.AST] = set()
    constants = _assigned(tree.body)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        values = {**constants, **_assigned(ast.walk(function))}
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and node not in inside:
                inside.add(node)
                yield node, values
    yield from ((node, constants) for node in ast.walk(tree) if isinstance(node, ast.Call) and node not in inside)


def _assigned(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """The values that these nodes assign to each name."""
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for node in nodes:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    found[name.id].append(value)
    return dict(found)


def _resolved(argument: str, node: ast.expr, call: ast.Call, values: dict[str, list[ast.expr]]) -> ast.expr:
    """A name as what it can stand for when it is said: a text is what it was assigned last, anything else a choice."""
    if not isinstance(node, ast.Name):
        return node
    before = [value for value in values.get(node.id, ()) if value.lineno <= call.lineno]
    if not before:
        return node
    first, *others = before[-1:] if argument in _TEXTS else before
    for each in others:
        first = ast.IfExp(ast.Constant(value=True), first, each)
    return first


def _speakers(tree: ast.Module) -> dict[str, _Speaker]:
    """The functions that say reasons: steps, refusals, and what the module itself has for short."""
    found = {
        "Step": _Speaker(("step", "status", "reason", "zh", "en")),
        "add": _Speaker(("step", "status", "reason", "zh", "en")),
    }
    for name, steps in _CAUGHT.items():
        order = ("reason", "zh", "en") if name in _CHINESE_FIRST else ("reason", "en", "zh")
        found[name] = _Speaker(order, steps, _BAD[:1] if name in _FLAGGED else _BAD)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        parameters = tuple(each.arg for each in function.args.args if each.arg != "self")
        if "reason" in parameters and function.name not in found:
            inner = [node for node in ast.walk(function) if isinstance(node, ast.Call) and _name(node.func) in found]
            of = {step for call in inner for step in _steps_of(call, found)}
            statuses = {status for call in inner for status in _statuses_of(call, found)}
            found[function.name] = _Speaker(parameters, tuple(sorted(of)), tuple(sorted(statuses)))
    return found


def _steps_of(call: ast.Call, speakers: dict[str, _Speaker]) -> tuple[str, ...]:
    speaker = speakers[_name(call.func)]
    given = dict(zip(speaker.parameters, call.args, strict=False))
    return tuple(_literals(given.get("step"))) or speaker.steps


def _statuses_of(call: ast.Call, speakers: dict[str, _Speaker]) -> tuple[Status, ...]:
    speaker = speakers[_name(call.func)]
    given = dict(zip(speaker.parameters, call.args, strict=False))
    given |= {each.arg: each.value for each in call.keywords if each.arg}
    return _statuses(given.get("status")) or _by_flag(given) or speaker.statuses


def _reasons(node: ast.expr | None) -> tuple[str, ...]:
    return tuple(text for text in _literals(node) if _REASON.fullmatch(text) and text.removeprefix("SES_") != "…")


def _literals(node: ast.expr | None) -> Iterator[str]:
    """The strings that an expression can be."""
    if isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif node is not None and (text := _text(node)):
        yield text


def _statuses(node: ast.expr | None) -> tuple[Status, ...]:
    names = {
        each.attr
        for each in ast.walk(node or ast.Constant(None))
        if isinstance(each, ast.Attribute) and _name(each.value) == "Status"
    }
    return tuple(status for status in Status if status.name in names)


def _by_flag(given: dict[str, ast.expr]) -> tuple[Status, ...]:
    """The status of a refusal: unknown where the call says that nothing speaks against the document."""
    for name in ("unsupported", "unknown"):
        flag = given.get(name)
        if isinstance(flag, ast.Constant):
            return (Status.UNKNOWN,) if flag.value else (Status.INVALID,)
        if flag is not None:
            return (Status.INVALID, Status.UNKNOWN)
    return ()


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values)
    return ""


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _modules() -> set[str]:
    """The makers, and what they import of esign's domain."""
    found: set[str] = set()
    waiting = [name for name in _MAKERS if _file(name).exists()]
    waiting += [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "services/esign").rglob("*.py")
        if path.parent.name == "ofd"
    ]
    while waiting:
        module = waiting.pop()
        if module not in found and module not in _OF_MAKING and _file(module).exists():
            found.add(module)
            waiting += _imported(ast.parse(_file(module).read_text("utf-8")))
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and _DOMAIN.match(node.module):
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _file(module: str) -> Path:
    place = ROOT.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def in_order(steps: Iterable[str]) -> list[str]:
    """Steps as a verdict has them."""
    return sorted(steps, key=ORDER.index)


def tables() -> str:
    """The reasons of docs/verdict.md: those that keep a verdict from VALID, with their words, and the others."""
    reasons = verdict_reasons().values()
    against = [row for reason in reasons for row in _against(reason)]
    others = [row for reason in reasons for row in _for(reason)]
    heads = ("reason", "steps", "status", "EN 319 102-1", "原因 / cause", "怎么办 / advice")
    parts = (
        "## 使结论不为 VALID 的原因 / Reasons that keep a verdict from VALID",
        _table(heads, against),
        "## 其余 / The others",
        _table(("reason", "steps", "status", "说明 / text"), others),
    )
    return "\n\n".join(parts) + "\n"


def _against(reason: Reason) -> Iterator[tuple[str, ...]]:
    """A row for each way of telling it, unless nothing is said against a document with this reason."""
    for name, steps in _told_apart(reason):
        told = reason.statuses_of(steps) or set(_BAD)
        statuses = [status for status in _BAD if status in told]
        if not statuses:
            continue
        zh, en = reason.text(statuses, steps[0])
        said = _said_of(Step(steps[0], statuses[0], name, zh or "…", en or "…"))
        cause, advice = (f"{each.zh} / {each.en}" if each else "–" for each in (said.cause, said.advice))
        found = (sub_indication(steps[0], status, name) for status in statuses)
        standard = ", ".join(dict.fromkeys(word or "–" for word in found))
        of = [step for step in steps if step in reason.steps]
        yield _code(name), ", ".join(of), ", ".join(statuses), standard, cause, advice


def _told_apart(reason: Reason) -> Iterator[tuple[str, list[str]]]:
    """Groups the steps of a reason by their text; the states of a seal are named one by one."""
    names = [reason.name]
    if reason.name == _OF_A_STATE:
        names = [reason.name.replace("…", state) for state in SealState if state is not SealState.ACTIVE]
    for name in names:
        alike: dict[object, list[str]] = defaultdict(list)
        for step in in_order(reason.steps) or ["parse"]:
            alike[own_words(step, name)].append(step)
        yield from ((name, steps) for steps in alike.values())


def _said_of(step: Step) -> Summary:
    outcome = Outcome.INVALID if step.status is Status.INVALID else Outcome.INDETERMINATE
    form = Form.LICENCE if step.reason.startswith("LICENCE") or step.step == "holder" else Form.PDF
    return explain(Verdict(outcome, 0, (step,), form=form))


def _for(reason: Reason) -> Iterator[tuple[str, ...]]:
    """A row for each text; what is said only against a document has none. `*`: it may be said of any step."""
    statuses = [status for status in (Status.VALID, Status.NOT_CHECKED) if status in reason.statuses]
    if not statuses:
        return
    steps_of: dict[tuple[str, str], list[str]] = defaultdict(list)
    for step in in_order(reason.steps) or [""]:
        steps_of[reason.texts(statuses, step)].append(step)
    for (zh, en), steps in steps_of.items():
        yield _code(reason.name), ", ".join(steps) or "*", ", ".join(statuses), f"{zh} / {en}" if zh else "–"


def _code(name: str) -> str:
    return f"`{name}`"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
