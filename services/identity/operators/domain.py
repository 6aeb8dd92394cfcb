"""Operators of the hub: people with a certificate and one of three disjoint administrator roles (三员分立). Pure.

System, security and audit administration must not meet in one hand (GB/T 22239-2019, 8.1.5 security management centre).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ROLES = frozenset({"admin.system", "admin.security", "admin.audit"})
# What any operator may do beside the role: look at cases when helping somebody.
ADDITIONAL = frozenset({"case.read"})
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,38}[a-z0-9]")


class OperatorError(ValueError):
    """The operator cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. `certificate_sha256` is hex; `not_after_us` the certificate's end."""

    name: str
    scopes: tuple[str, ...]
    certificate_sha256: str
    not_after_us: int


def check(name: str, scopes: tuple[str, ...]) -> None:
    """Raises OperatorError unless the name can stand in a certificate and the scopes hold exactly one role."""
    if not _NAME.fullmatch(name):
        raise OperatorError("an operator's name is 2 to 40 of a-z, 0-9 and hyphen")
    unknown = set(scopes) - ROLES - ADDITIONAL
    if unknown:
        raise OperatorError(f"unknown scopes: {', '.join(sorted(unknown))}")
    if len(ROLES & set(scopes)) != 1:
        raise OperatorError("give exactly one of admin.system, admin.security, admin.audit: the roles are disjoint")
