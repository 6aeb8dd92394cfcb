"""E-licences (电子证照) as SD-JWT VC: what a type holds, what of it the holder may keep back, and a licence's life.

VALID ⇄ SUSPENDED → REVOKED. Types are data files (`licences/types/*.toml`), no code.
"""

import calendar
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from services.esign.domain.errors import LicenceImpossibleError, LicenceStateError, LicenceUnfitError
from services.esign.licences.domain.sd_jwt import ALWAYS_OPEN, Hidden, Padded

TYP = "dc+sd-jwt"
AGES = "age_equal_or_over"
_MAX_FACT = 200
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_BETWEEN = re.compile(r"[、，,;；\s]+")
# What licences hold besides the claims of their type.
_OWN = ALWAYS_OPEN | {"iat", "sub", "title", "issuing_authority", AGES}
_KEYS = frozenset({"name", "zh", "en", "from", "kind", "reveal", "within"})


class Kind(StrEnum):
    TEXT = "text"
    DATE = "date"
    LIST = "list"


class LicenceState(StrEnum):
    VALID = "VALID"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"


_MOVES: Mapping[LicenceState, frozenset[LicenceState]] = MappingProxyType(
    {
        LicenceState.VALID: frozenset({LicenceState.SUSPENDED, LicenceState.REVOKED}),
        LicenceState.SUSPENDED: frozenset({LicenceState.VALID, LicenceState.REVOKED}),
        LicenceState.REVOKED: frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class Claim:
    """`source`: `person.<field>` of the vault, `fact` that the agency certifies, or `number`. `within`: the object that
    holds it, hidden as a whole and member by member; empty: none. `hidden`: the holder may keep it back.
    """

    name: str
    zh: str
    en: str
    source: str
    kind: Kind
    hidden: bool
    within: str


@dataclass(frozen=True, slots=True)
class LicenceType:
    """`results`: the results of items that end with such a licence. `ages` in years. `valid_days` from issuing."""

    name: str
    vct: str
    title: str
    title_en: str
    results: frozenset[str]
    valid_days: int
    ages: tuple[int, ...]
    claims: tuple[Claim, ...]

    @property
    def person_fields(self) -> tuple[str, ...]:
        """The fields that the vault is asked for: no more than the type prints, and the date of birth for its ages."""
        wanted = {c.source.removeprefix("person.") for c in self.claims if c.source.startswith("person.")}
        return tuple(sorted(wanted | ({"birth_date"} if self.ages else set())))

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(claim.name for claim in self.claims if claim.source == "fact")


def read_type(name: str, text: str) -> LicenceType:
    """A type from its file. Raises ValueError saying what is wrong with it."""
    data = tomllib.loads(text)
    claims = tuple(_claim(found) for found in data.pop("claim"))
    try:
        read = LicenceType(
            name,
            str(data.pop("vct")),
            str(data.pop("title")),
            str(data.pop("title_en")),
            frozenset(data.pop("results")),
            int(data.pop("valid_days")),
            tuple(sorted(data.pop("ages"))),
            claims,
        )
    except KeyError as cause:
        raise ValueError(f"{name}: lacks {cause}") from None
    names = [claim.name for claim in claims] + sorted({claim.within for claim in claims if claim.within})
    if data or len(set(names)) != len(names) or set(names) & _OWN or not all(map(_NAME.fullmatch, [name, *names])):
        raise ValueError(f"{name}: keys or names that are unknown, malformed or there twice")
    if not read.vct.startswith("urn:") or not 0 < read.valid_days <= 3650 or not read.results:
        raise ValueError(f"{name}: vct is a URN, valid_days 1 to 3650, results not empty")
    return read


def _claim(found: Mapping[str, Any]) -> Claim:
    if not {"name", "zh", "en", "from"} <= set(found) <= _KEYS:
        raise ValueError(f"a claim has name, zh, en and from, and at most {sorted(_KEYS)}")
    source, reveal = str(found["from"]), found.get("reveal", "choice")
    if reveal not in {"choice", "always"} or not (source in {"fact", "number"} or source.startswith("person.")):
        raise ValueError(f"{found['name']}: reveal is choice or always; from is fact, number or person.…")
    return Claim(
        str(found["name"]),
        str(found["zh"]),
        str(found["en"]),
        source,
        Kind(found.get("kind", "text")),
        reveal == "choice",
        str(found.get("within", "")),
    )


def ages_reached(birth: date, today: date, ages: Sequence[int]) -> tuple[int, ...]:
    """Ages (周岁) reached: from the day after the birthday (法释〔2006〕1 号, 2). One born on 29 February has it on
    28 February of other years. An age once reached stays reached, so nothing of it is ever wrong later.
    """
    return tuple(age for age in ages if today > _birthday(birth, birth.year + age))


def _birthday(birth: date, year: int) -> date:
    leapling = (birth.month, birth.day) == (2, 29) and not calendar.isleap(year)
    return date(year, 2, 28) if leapling else birth.replace(year=year)


def fill(
    licence: LicenceType, number: str, person: Mapping[str, str], facts: Mapping[str, str], today: date
) -> dict[str, Any]:
    """The claims of a licence, as `sd_jwt` conceals them. `person` holds the vault's fields, dates ISO 8601.

    Raises LicenceUnfitError naming what is missing, unknown or malformed; never a value.
    """
    check_facts(licence, facts)
    _require_person(licence, person)
    found: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for claim in licence.claims:
        if claim.source == "number":
            text = number
        else:
            text = facts[claim.name] if claim.source == "fact" else person[claim.source.removeprefix("person.")]
        value: Any = text
        if claim.kind is Kind.LIST:
            value = [Hidden(part) for part in _BETWEEN.split(text) if part]
        at = groups.setdefault(claim.within, {}) if claim.within else found
        at[claim.name] = Hidden(value) if claim.hidden else value
    found.update({name: Hidden(members) for name, members in groups.items()})
    if licence.ages:
        reached = ages_reached(date.fromisoformat(person["birth_date"]), today, licence.ages)
        # As many digests as there are ages: how old somebody is at most does not show.
        found[AGES] = Padded({str(age): Hidden(True) for age in reached}, len(licence.ages))
    return found


def check_facts(licence: LicenceType, facts: Mapping[str, str]) -> None:
    """Raises LicenceUnfitError naming each fact that is missing, unknown or malformed."""
    missing = [name for name in licence.facts if not facts.get(name, "").strip()]
    unknown = sorted(set(facts) - set(licence.facts))
    dates = {claim.name for claim in licence.claims if claim.kind is Kind.DATE}
    bad = [name for name, text in facts.items() if len(text) > _MAX_FACT or _CONTROL.search(text)]
    bad += [name for name in sorted(dates & set(facts)) if not _is_date(facts[name])]
    if missing or unknown or bad:
        raise LicenceUnfitError(
            "FACTS",
            "facts are missing, malformed or not of this type of licence",
            "缺少必填内容，或内容格式不符，或有该证照未定义的内容",
            missing=",".join(missing),
            unknown=",".join(unknown)[:200],
            malformed=",".join(bad)[:200],
        )


def _require_person(licence: LicenceType, person: Mapping[str, str]) -> None:
    lacking = [name for name in licence.person_fields if not person.get(name)]
    if lacking:
        raise LicenceImpossibleError(
            "PERSON_DATA_LACKING",
            "the register does not tell what this licence needs",
            "登记信息中缺少该证照需要的内容",
            missing=",".join(lacking),
        )


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def ends_on(licence: LicenceType, today: date) -> date:
    """The last day of validity."""
    return today + timedelta(days=licence.valid_days)


def move(now: LicenceState, wanted: LicenceState) -> LicenceState:
    """The state wanted. Raises LicenceStateError when there is no way to it."""
    if wanted not in _MOVES[now]:
        raise LicenceStateError(
            "LICENCE_STATE",
            f"a licence that is {now} cannot become {wanted}",
            f"证照状态为 {now}，不能变更为 {wanted}",
            state=now.value,
        )
    return wanted
