"""BER brought into DER: the same reading whatever form it was written in, DER unchanged, in bounded work."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.esign.domain import der
from services.esign.domain.cms import ber
from services.esign.domain.der import DerError

PRIMITIVE = st.builds(
    lambda tag, body: (tag, body), st.sampled_from([0x02, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x80, 0x81]), st.binary()
)
TREE = st.recursive(
    PRIMITIVE,
    lambda inner: st.builds(
        lambda tag, members: (tag, members),
        st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 0xA3]),
        st.lists(inner, max_size=5),
    ),
    max_leaves=25,
)


def depth(tree) -> int:
    held = tree[1]
    return 0 if isinstance(held, bytes) else 1 + max(map(depth, held), default=0)


# What nests deeper is refused: the last test says so.
TREE = TREE.filter(lambda tree: depth(tree) < 30)


def in_der(tree) -> bytes:
    tag, held = tree
    return der.tlv(tag, held if isinstance(held, bytes) else b"".join(in_der(member) for member in held))


def long_length(size: int, forms: Random) -> bytes:
    """A length in a form that is longer than it needs to be, or the DER one."""
    zeros = forms.randrange(4)
    if zeros == 0:
        return der.length(size)
    raw = bytes(zeros) + size.to_bytes(max(1, (size.bit_length() + 7) // 8), "big")
    return bytes((0x80 | len(raw),)) + raw


def in_ber(tree, forms: Random, level: int = 0) -> bytes:
    """The same value in any form that BER allows for it."""
    tag, held = tree
    if isinstance(held, bytes):
        if tag != der.OCTET_STRING or level > 30 or forms.random() < 0.5:
            return bytes((tag,)) + long_length(len(held), forms) + held
        at = forms.randint(0, len(held))
        tag, held = 0x24, [(der.OCTET_STRING, held[:at]), (der.OCTET_STRING, held[at:])]
    body = b"".join(in_ber(member, forms, level + 1) for member in held)
    if forms.random() < 0.5:
        return bytes((tag, 0x80)) + body + b"\x00\x00"
    return bytes((tag,)) + long_length(len(body), forms) + body


@given(TREE)
def test_der_is_left_as_it_is(tree):
    """Whatever DER holds goes through unchanged, so nothing that was signed as DER changes."""
    assert ber.normalised(in_der(tree)) == in_der(tree)


@given(TREE, st.integers(0, 2**32))
def test_every_form_of_a_value_reads_as_its_der(tree, seed):
    """Open lengths, lengths with zeros in front and octet strings in pieces say the same as their DER."""
    assert ber.normalised(in_ber(tree, Random(seed))) == in_der(tree)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data):
    """Nothing but DerError, and what comes out is DER that reads again as itself."""
    try:
        found, end = ber.first(data)
    except DerError:
        return
    assert end <= len(data)
    assert ber.normalised(found) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x80\x00",
        b"\x04\x80\x00\x00",
        b"\x30\x05\x04\x01",
        b"\x1f\x81\x01\x00",
        b"\x24\x03\x02\x01\x00",
        b"\x23\x08\x03\x02\x01\x00\x03\x02\x00\x00",
        b"\x2c\x03\x0c\x01a",
        b"\x30\x89" + bytes(8) + b"\x01\x00",
        b"\x04\x01a" + b"\x00",
    ],
    ids=range(12),
)
def test_what_is_no_ber_or_beyond_this_reader_is_refused(data):
    """Cut short, without end, pieces that do not join, long tags, bytes behind."""
    with pytest.raises(DerError):
        ber.normalised(data)


def test_work_is_bounded():
    """Nesting and number of elements have an end, long before stack or time have."""
    for hostile in (
        b"\x30\x80" * 100_000,
        b"\x24\x80" * 40 + b"\x04\x00" + bytes(80),
        b"\x30\x80" + b"\x05\x00" * 300_000,
    ):
        with pytest.raises(DerError, match=r"deeply|more elements"):
            ber.normalised(hostile)
