"""Licence identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchange.licences import domain as licences
from services.exchange.licences.domain import LicenceError, mod_37_36

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("text", ["A12425GABC1234002M", "A1B2C3D4E5F6G7H8"])
def test_mod_37_36_against_published_samples(text: str) -> None:
    """The check of a Global Release Identifier (same ISO 7064 system) and stability of another text."""
    if text.startswith("A12425"):
        assert mod_37_36(text[:-1]) == text[-1]
    assert mod_37_36(text) in ALPHABET


LICENCES = st.builds(
    licences.build,
    st.text(ALPHABET, min_size=21, max_size=21),
    st.sampled_from(["150100", "12441500196720244T"]),
    st.text(ALPHABET, min_size=1, max_size=20),
    st.sampled_from(["001", "00A"]),
)


@given(LICENCES)
def test_licence_identifiers_read_back(licence: licences.LicenceId) -> None:
    """Issuers of six and of eighteen characters both work."""
    assert licences.parse(str(licence)) == licence
    assert len(licence.defining_authority) == 18


@given(LICENCES, st.data())
def test_one_wrong_character_in_a_licence_is_found(licence: licences.LicenceId, data: st.DataObject) -> None:
    """MOD 37,36 finds every single error in the serial."""
    place = data.draw(st.integers(0, len(licence.serial) - 1))
    mark = data.draw(st.sampled_from(ALPHABET))
    wrong = licence.serial[:place] + mark + licence.serial[place + 1 :]
    if wrong != licence.serial:
        text = str(licence).replace(f".{licence.serial}.{licence.version}.", f".{wrong}.{licence.version}.")
        with pytest.raises(LicenceError):
            licences.parse(text)


@pytest.mark.parametrize("text", ["", "1.2.156.3005.2", "1.2.156.3005.2.a.b.c.d.e", "1.2.156.3005.3.A.B.C.D.E"])
def test_no_licence(text: str) -> None:
    """What is no identifier is refused."""
    with pytest.raises(LicenceError):
        licences.parse(text)
