"""Operators."""

import pytest

from services.identity.operators import domain as operators


@pytest.mark.parametrize(
    "scopes", [(), ("admin.system", "admin.audit"), ("item.write",), ("admin.system", "case.handle")]
)
def test_administrator_roles_are_disjoint(scopes):
    """Exactly one of system, security and audit."""
    with pytest.raises(operators.OperatorError):
        operators.check("somebody", scopes)
    operators.check("somebody", ("admin.audit", "case.read"))
