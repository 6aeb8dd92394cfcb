"""Grants (共享授权): a contract between a consumer and a provider on one resource, and the answer cut to what it
allows.

APPLIED → REVIEWED (2 working days) → GRANTED | REFUSED by the provider (5 working days, 10 when not yet published) →
ACTIVE ⇄ SUSPENDED → EXPIRED | REVOKED. A use cites the grant, its purpose and its item; what is not named in the
contract does not leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.exchange.directory.domain import Resource, ShareClass
from shuniu.china_time import DAY_US
from shuniu.rules import RuleError, Violation

DECISION_WORKING_DAYS = 5
# The longest term of a contract.
MAX_TERM_DAYS = 3 * 366


class GrantState(StrEnum):
    """State of a grant."""

    APPLIED = "APPLIED"
    REVIEWED = "REVIEWED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class Action(StrEnum):
    """An act on a grant."""

    REVIEW = "REVIEW"
    GRANT = "GRANT"
    REFUSE = "REFUSE"
    ACTIVATE = "ACTIVATE"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    EXPIRE = "EXPIRE"
    REVOKE = "REVOKE"


class Party(StrEnum):
    """Party that acts."""

    HUB = "hub"
    PROVIDER = "provider"
    CONSUMER = "consumer"


_HUB, _PROVIDER = frozenset({Party.HUB}), frozenset({Party.PROVIDER})
# Every party may revoke.
_ANYBODY = frozenset(Party)
MOVES: dict[tuple[GrantState, Action], tuple[GrantState, frozenset[Party]]] = {
    (GrantState.APPLIED, Action.REVIEW): (GrantState.REVIEWED, _HUB),
    (GrantState.APPLIED, Action.REFUSE): (GrantState.REFUSED, _HUB),
    (GrantState.REVIEWED, Action.GRANT): (GrantState.GRANTED, _PROVIDER),
    (GrantState.REVIEWED, Action.REFUSE): (GrantState.REFUSED, _PROVIDER),
    (GrantState.GRANTED, Action.ACTIVATE): (GrantState.ACTIVE, _HUB),
    (GrantState.GRANTED, Action.REVOKE): (GrantState.REVOKED, _ANYBODY),
    (GrantState.ACTIVE, Action.SUSPEND): (GrantState.SUSPENDED, _HUB | _PROVIDER),
    (GrantState.SUSPENDED, Action.RESUME): (GrantState.ACTIVE, _HUB | _PROVIDER),
    (GrantState.ACTIVE, Action.EXPIRE): (GrantState.EXPIRED, _HUB),
    (GrantState.SUSPENDED, Action.EXPIRE): (GrantState.EXPIRED, _HUB),
    (GrantState.ACTIVE, Action.REVOKE): (GrantState.REVOKED, _ANYBODY),
    (GrantState.SUSPENDED, Action.REVOKE): (GrantState.REVOKED, _ANYBODY),
}
# Every state whose contract has a term that can run out.
EXPIRING = frozenset(state for state, action in MOVES if action is Action.EXPIRE)
# Every state that nothing leads out of.
ENDED = frozenset(GrantState) - {state for state, _ in MOVES}
# Grants of one consumer on one resource that have not ended, at most.
MOST_LIVE = 100
_REASON_NEEDED = frozenset({Action.REFUSE, Action.SUSPEND, Action.REVOKE})


class GrantError(RuleError):
    """The grant is wrong, the move is not possible, or the use is outside the contract."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Terms of a grant. Fields are paths with dots (``record.found``); a path grants everything below it.

    ``item`` is the base code of the item it serves. ``daily_quota`` is the number of answers in one
    civil day (Asia/Shanghai), counted together with the consumer's other grants on the resource; ``max_rows`` the rows
    of one answer. ``begins_us`` ≤ t < ``ends_us``, µs UTC.
    """

    consumer: str
    provider: str
    resource: str
    purpose: str
    item: str
    fields: frozenset[str]
    daily_quota: int
    begins_us: int
    ends_us: int
    max_rows: int = 1
    consent_needed: bool = False
    onward_sharing: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A contract with its standing; ``version`` counts changes of state from 1."""

    id: str
    contract: Contract
    state: GrantState = GrantState.APPLIED
    version: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """One call that cites a grant."""

    consumer: str
    resource: str
    purpose: str
    item: str
    now_us: int
    consented: bool = False


def propose(grant_id: str, contract: Contract, resource: Resource, *, stopped: bool = False) -> Grant:
    """A new grant over a resource. Raises GrantError with every violation.

    Unconditional resources pass by themselves: the grant is GRANTED at once. When the provider revoked a grant of this
    consumer on it (`stopped`), the provider decides.
    """
    violations = _faults(contract, resource)
    if violations:
        raise GrantError(violations)
    passes = resource.share is ShareClass.UNCONDITIONAL and not stopped
    return Grant(grant_id, contract, GrantState.GRANTED if passes else GrantState.APPLIED)


def _faults(contract: Contract, resource: Resource) -> list[Violation]:
    term_us = contract.ends_us - contract.begins_us
    rules: tuple[tuple[bool, str, str, str, str], ...] = (
        (
            resource.share is ShareClass.NOT_SHARED,
            "resource",
            "NOT_SHARED",
            "this resource is not shared",
            "该资源不予共享",
        ),
        (not contract.purpose.strip(), "purpose", "FIELD_MISSING", "say what the data are for", "请填写使用目的"),
        (not contract.item.strip(), "item", "FIELD_MISSING", "name the item it serves", "请填写所服务的事项编码"),
        (not contract.fields, "fields", "FIELD_MISSING", "name the fields", "请列明所需字段"),
        (
            not 1 <= contract.daily_quota <= resource.most_calls,
            "daily_quota",
            "VALUE_RANGE",
            f"the resource gives each consumer 1 to {resource.most_calls} calls a day",
            f"该资源每日可供每个使用方调用 1 至 {resource.most_calls} 次",
        ),
        (contract.max_rows < 1, "max_rows", "VALUE_RANGE", "an answer has at least one row", "返回行数应至少为 1"),
        (
            not 0 < term_us <= MAX_TERM_DAYS * DAY_US,
            "ends_us",
            "TERM_RANGE",
            f"a term is positive and at most {MAX_TERM_DAYS} days",
            f"有效期应大于零且不超过 {MAX_TERM_DAYS} 天",
        ),
        (
            contract.consumer == contract.provider,
            "consumer",
            "SAME_PARTY",
            "nobody grants to oneself",
            "提供方与使用方不能相同",
        ),
    )
    found = [Violation(field, reason, en, zh) for broken, field, reason, en, zh in rules if broken]
    known = {prefix for path in resource.field_names for prefix in _prefixes(path)}
    found.extend(
        Violation(f"fields.{path}", "FIELD_UNKNOWN", "the resource has no such field", "资源中没有该字段")
        for path in sorted(contract.fields - known)
    )
    return found


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def act(grant: Grant, action: Action, party: Party, *, note: str = "") -> Grant:
    """The grant after a move. Suspending the suspended, and so on, changes nothing. Raises GrantError."""
    already = {target for (_, each), (target, _) in MOVES.items() if each is action}
    if grant.state in already:
        return grant
    row = MOVES.get((grant.state, action))
    if row is None:
        raise _error(
            "state",
            "MOVE_NOT_ALLOWED",
            f"{action.value} is not possible in state {grant.state.value}",
            f"当前状态 {grant.state.value} 不允许操作 {action.value}",
        )
    target, parties = row
    if party not in parties:
        raise _error("party", "ROLE_NOT_ALLOWED", "the other party decides this", "该操作应由另一方执行")
    if action in _REASON_NEEDED and not note.strip():
        raise _error("note", "REASON_MISSING", "say why", "请填写理由")
    return replace(grant, state=target, version=grant.version + 1, note=note)


def limited(grant: Grant, daily_quota: int) -> Grant:
    """The grant with the calls a day that its provider gives; 0 gives what was wanted. Raises GrantError."""
    if not 0 <= daily_quota <= grant.contract.daily_quota:
        wanted = grant.contract.daily_quota
        raise _error(
            "daily_quota", "VALUE_RANGE", f"give 1 to the {wanted} calls wanted", f"应为 1 至申请的 {wanted} 次"
        )
    return replace(grant, contract=replace(grant.contract, daily_quota=daily_quota or grant.contract.daily_quota))


def term_is_over(grant: Grant, now_us: int) -> bool:
    """Tells whether the grant expires now: its term has run out, and nothing else has ended it before."""
    return grant.state in EXPIRING and grant.contract.ends_us <= now_us


def permit(grant: Grant, use: Use) -> None:
    """Raises GrantError with every breach of the contract. The quota is spent apart (`store.spend`)."""
    contract = grant.contract
    rules: tuple[tuple[bool, str, str, str, str], ...] = (
        (
            grant.state is not GrantState.ACTIVE,
            "state",
            "GRANT_NOT_ACTIVE",
            "the grant is not active",
            "授权未生效或已停止",
        ),
        (use.now_us < contract.begins_us, "now", "GRANT_NOT_BEGUN", "the term has not begun", "授权尚未开始"),
        (
            use.now_us >= contract.ends_us,
            "now",
            "GRANT_EXPIRED",
            "the term is over: apply again",
            "授权已到期，请重新申请",
        ),
        (
            use.consumer != contract.consumer,
            "consumer",
            "GRANT_OTHER_CONSUMER",
            "the grant is another's",
            "该授权属于其他使用方",
        ),
        (
            use.resource != contract.resource,
            "resource",
            "GRANT_OTHER_RESOURCE",
            "the grant names another resource",
            "授权资源不符",
        ),
        (
            use.purpose != contract.purpose,
            "purpose",
            "GRANT_OTHER_PURPOSE",
            "the grant names another purpose",
            "使用目的与授权不符",
        ),
        (use.item != contract.item, "item", "GRANT_OTHER_ITEM", "the grant serves another item", "事项与授权不符"),
        (
            contract.consent_needed and not use.consented,
            "consent",
            "CONSENT_MISSING",
            "ask the person first",
            "须先取得本人同意",
        ),
    )
    violations = [Violation(field, reason, en, zh) for broken, field, reason, en, zh in rules if broken]
    if violations:
        raise GrantError(violations)


Answer = Mapping[str, object]


def mask_answer(contract: Contract, rows: Sequence[Answer]) -> tuple[dict[str, object], ...]:
    """The rows cut to the granted fields and the granted number of rows; what is not named does not leave."""
    return tuple(_cut(row, contract.fields, "") for row in rows[: contract.max_rows])


def _cut(value: Answer, granted: frozenset[str], above: str) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, inner in value.items():
        # A dot inside a name would pose as a path.
        if "." in name:
            continue
        path = f"{above}{name}"
        if path in granted:
            kept[name] = inner
        elif any(each.startswith(path + ".") for each in granted):
            cut = _cut_inner(inner, granted, path + ".")
            if cut is not None:
                kept[name] = cut
    return kept


def _cut_inner(inner: object, granted: frozenset[str], above: str) -> object | None:
    if isinstance(inner, Mapping):
        return _cut(inner, granted, above)
    if isinstance(inner, list | tuple):
        return [_cut(each, granted, above) for each in inner if isinstance(each, Mapping)]
    # The contract names a part of something that has no parts: nothing of it was granted.
    return None


def _error(field: str, reason: str, en: str, zh: str) -> GrantError:
    return GrantError([Violation(field, reason, en, zh)])
