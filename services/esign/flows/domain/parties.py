"""Assigns parties to the places of a scenario. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.esign.flows.domain.scenarios import Actor, Scenario, ScenarioStep


@dataclass(frozen=True, slots=True)
class Given:
    """A party as it was named: platform, or person by subject at that platform; a seal when it was named too."""

    key: str
    platform: str
    subject: str
    seal_id: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a party: its position in what was given (-1: it is missing), reason and texts."""

    at: int
    reason: str
    en: str
    zh: str


def bind(scenario: Scenario, given: Sequence[Given]) -> tuple[list[tuple[ScenarioStep, Given]], list[Fault]]:
    """Places with their parties, in the scenario's order, and everything that is wrong."""
    by_key: Mapping[str, Given] = {party.key: party for party in given}
    faults = [*_wrong(scenario, given), *_missing(scenario, by_key)]
    return [(step, by_key[step.key]) for step in scenario.steps if step.key in by_key], faults


def _wrong(scenario: Scenario, given: Sequence[Given]) -> Iterator[Fault]:
    seen: set[str] = set()
    for at, party in enumerate(given):
        step = scenario.step(party.key)
        if step is None:
            yield Fault(at, "PARTY_UNKNOWN", "the scenario has no such place", "该场景没有此参与方")
            continue
        if party.key in seen:
            yield Fault(at, "PARTY_REPEATED", "this place is taken already", "参与方重复")
        seen.add(party.key)
        if step.actor is Actor.PERSON and not party.subject:
            yield Fault(
                at, "PERSON_WANTED", "a person takes this place: give the subject", "该参与方应为个人，请填写用户标识"
            )
        if step.actor is Actor.PLATFORM and party.subject:
            yield Fault(at, "PLATFORM_WANTED", "a platform takes this place", "该参与方应为平台")


def _missing(scenario: Scenario, by_key: Mapping[str, Given]) -> Iterator[Fault]:
    for step in scenario.steps:
        if not step.optional and step.key not in by_key:
            yield Fault(-1, "PARTY_MISSING", f"nobody takes {step.key}", f"缺少参与方：{step.title}")
