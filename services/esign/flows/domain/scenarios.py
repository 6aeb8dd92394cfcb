"""Business scenarios (业务场景) of signing flows: data with rules, read from TOML tables. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.esign.domain.errors import EsignError
from services.esign.flows.domain.life import Role

HOUR_US = 3_600_000_000
_CODE = re.compile(r"[a-z][a-z0-9_]{2,39}")
_PLACE = re.compile(r"\{([^{}]*)\}")
# Fits on one page with the text; more parties sign another document.
MOST_SIGNERS = 12
_MOST_GROUPS = 9
_TABLES: Mapping[str, frozenset[str]] = {
    "scenario": frozenset({"code", "title", "upload", "deadline_hours", "remind", "document", "steps"}),
    "remind": frozenset({"after_hours", "every_hours", "most"}),
    "document": frozenset({"paragraphs", "facts"}),
    "fact": frozenset({"name", "label", "required"}),
    "step": frozenset({"key", "title", "role", "group", "actor", "seal", "ial", "aal", "optional"}),
}


class ScenarioError(EsignError):
    """A scenario file cannot be used. `fields["faults"]` lists all that is wrong with it."""


class Actor(StrEnum):
    """The kind of party that takes the step."""

    PLATFORM = "platform"
    PERSON = "person"


class KeyMode(StrEnum):
    """`held`: the key of an active seal. `once`: a fresh key with a certificate of minutes, erased after use."""

    HELD = "held"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class ScenarioStep:
    """A party's place. Levels are of a person: identity 1 to 4, authentication 1 to 3; 0 for a platform."""

    key: str
    title: str
    role: Role
    group: int
    actor: Actor
    mode: KeyMode
    ial: int
    aal: int
    optional: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """The texts that the scenario's own document prints."""

    name: str
    label: str
    required: bool


@dataclass(frozen=True, slots=True)
class Reminding:
    """The times at which parties are told again: first after, then every so long (µs), at most so often."""

    after_us: int
    every_us: int
    most: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario. `paragraphs` with `{fact}` in them; none when a document must be uploaded."""

    code: str
    title: str
    upload: bool
    deadline_us: int
    remind: Reminding
    paragraphs: tuple[str, ...]
    facts: tuple[Fact, ...]
    steps: tuple[ScenarioStep, ...]

    def step(self, key: str) -> ScenarioStep | None:
        return next((step for step in self.steps if step.key == key), None)


def read(table: Mapping[str, Any]) -> Scenario:
    """The scenario of a TOML table. Raises ScenarioError naming everything that is wrong."""
    faults = list(_faults(table))
    if faults:
        raise ScenarioError("SCENARIO", "; ".join(faults), "场景文件有误", faults="; ".join(faults))
    document = table.get("document", {})
    remind = table["remind"]
    return Scenario(
        table["code"],
        table["title"],
        table.get("upload", False),
        table["deadline_hours"] * HOUR_US,
        Reminding(remind["after_hours"] * HOUR_US, remind["every_hours"] * HOUR_US, remind["most"]),
        tuple(document.get("paragraphs", ())),
        tuple(Fact(f["name"], f["label"], f.get("required", True)) for f in document.get("facts", ())),
        tuple(map(_step, table["steps"])),
    )


def page_facts(scenario: Scenario, facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Label and value of what is printed as a table, in the scenario's order."""
    return [(fact.label, facts[fact.name]) for fact in scenario.facts if facts.get(fact.name)]


def page_text(scenario: Scenario, facts: Mapping[str, str]) -> list[str]:
    """The paragraphs with their facts; one that names a fact that was not given is left out."""
    given = {name: value for name, value in facts.items() if value}
    texts = [text for text in scenario.paragraphs if set(_PLACE.findall(text)) <= given.keys()]
    return [_PLACE.sub(lambda found: given[found[1]], text) for text in texts]


def _step(table: Mapping[str, Any]) -> ScenarioStep:
    actor, role = Actor(table["actor"]), Role(table["role"])
    person = actor is Actor.PERSON
    return ScenarioStep(
        table["key"],
        table["title"],
        role,
        table.get("group", 0),
        actor,
        KeyMode(table.get("seal", "once" if person else "held")),
        table.get("ial", 2) if person and role.acts else 0,
        table.get("aal", 1) if person and role.acts else 0,
        table.get("optional", False),
    )


def _faults(table: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown("scenario", table)
    if not _CODE.fullmatch(str(table.get("code", ""))):
        yield "code: 3 to 40 of a-z 0-9 _"
    if not _text(table.get("title"), 60):
        yield "title: 1 to 60 characters"
    if not _whole(table.get("deadline_hours"), 1, 24 * 366):
        yield "deadline_hours: 1 to 8784"
    remind = table.get("remind")
    if not isinstance(remind, dict):
        yield "remind: a table"
    else:
        yield from _unknown("remind", remind)
        for name, least, most in (("after_hours", 1, 8784), ("every_hours", 1, 8784), ("most", 0, 50)):
            if not _whole(remind.get(name), least, most):
                yield f"remind.{name}: {least} to {most}"
    document = table.get("document", {})
    if not document and not table.get("upload", False):
        yield "document: absent, and none may be uploaded"
    yield from _document_faults(document)
    yield from _step_faults(table.get("steps", ()))


def _document_faults(document: Mapping[str, Any]) -> Iterator[str]:
    if not document:
        return
    yield from _unknown("document", document)
    facts = document.get("facts", [])
    for at, fact in enumerate(facts):
        yield from _unknown("fact", fact)
        if not _CODE.fullmatch(str(fact.get("name", ""))) or not _text(fact.get("label"), 20):
            yield f"document.facts[{at}]: name and label"
    paragraphs = document.get("paragraphs", [])
    if not paragraphs or not all(_text(text, 600) for text in paragraphs):
        yield "document.paragraphs: some, each up to 600 characters"
    unknown = {name for text in paragraphs for name in _PLACE.findall(str(text))} - {f.get("name") for f in facts}
    if unknown:
        yield f"document.paragraphs: no such fact: {', '.join(sorted(unknown))}"


def _step_faults(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    keys = [step.get("key") for step in steps]
    for key in sorted({str(key) for key in keys if keys.count(key) > 1}):
        yield f"steps: two called {key}"
    for at, step in enumerate(steps):
        yield from _unknown("step", step)
        if not _CODE.fullmatch(str(step.get("key", ""))) or not _text(step.get("title"), 20):
            yield f"steps[{at}]: key and title"
        if step.get("role") not in set(Role) or step.get("actor") not in set(Actor):
            yield f"steps[{at}]: role and actor"
            continue
        acts = Role(step["role"]).acts
        if acts != _whole(step.get("group", 0), 1, _MOST_GROUPS):
            yield f"steps[{at}]: group 1 to {_MOST_GROUPS} for who signs or approves, none for others"
        if step.get("seal", "once") not in set(KeyMode):
            yield f"steps[{at}].seal: held or once"
        if step["actor"] == Actor.PLATFORM and step.get("seal", "held") != KeyMode.HELD:
            yield f"steps[{at}].seal: a platform signs with its seal"
        if not _whole(step.get("ial", 2), 1, 4) or not _whole(step.get("aal", 1), 1, 3):
            yield f"steps[{at}]: ial 1 to 4, aal 1 to 3"
    signers = [s for s in steps if s.get("role") == Role.SIGNER]
    if not 1 <= len(signers) <= MOST_SIGNERS or all(s.get("optional") for s in signers):
        yield f"steps: 1 to {MOST_SIGNERS} signers, one of them not optional"


def _unknown(kind: str, table: Mapping[str, Any]) -> Iterator[str]:
    if surplus := sorted(set(table) - _TABLES[kind]):
        yield f"{kind}: unknown: {', '.join(surplus)}"


def _text(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= most


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
