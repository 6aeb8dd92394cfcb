"""Token Status List against the draft's vectors and against hostile input."""

import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from services.esign.domain.errors import EsignError, TokenMalformedError, TokenWrongError
from services.esign.licences.domain import jose, status_list
from services.esign.licences.domain.status_list import Status, StatusList
from tests.support.esign import NOW_US, setting

# draft-ietf-oauth-status-list, section 5.1, and the key of its examples.
TOKEN = (
    "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEyIiwidHlwIjoic3RhdHVzbGlzdCtqd3QifQ.eyJleHAiOjIyOTE3MjAxNzAsImlhdCI6MTY4NjkyMDE3"
    "MCwiaXNzIjoiaHR0cHM6Ly9leGFtcGxlLmNvbSIsInN0YXR1c19saXN0Ijp7ImJpdHMiOjEsImxzdCI6ImVOcmJ1UmdBQWhjQlhRIn0sInN1YiI6"
    "Imh0dHBzOi8vZXhhbXBsZS5jb20vc3RhdHVzbGlzdHMvMSIsInR0bCI6NDMyMDB9.2lKUUNG503R9htu4aHAYi7vjmr3sgApbfoDvPrl65N3URUO"
    "1EYqqQl45Jfzd-Av4QzlKa3oVALpLwOEUOq-U_g"
)
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo",
    "y": "6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M",
}
URI = "https://hub.example/v1/licences/status-lists/1"
# The draft's appendix of test vectors, 2 bits, 2^20 places.
LONG = (
    "eNrt2zENACEQAEEuoaBABP5VIO01fCjIHTMStt9ovGVIAAAAAABAbiEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEB5"
    "WwIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAID0ugQAAAAAAAAAAAAAAAAAQG12SgAAAAAAAAAAAAAAAAAAAAAAAAAAAOCSIQEAAAAAAAAAAAAAAAAAAAAAAAD8ExIA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwJEuAQAAAAAAAAAAAAAAAAAAAAAAAMB9SwIAAAAAAAAAAAAAAAAAAACoYUoA"
    "AAAAAAAAAAAAAEBqH81gAQw"
)
LONG_PLACES = dict(
    zip(
        (0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345),
        (1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3),
        strict=True,
    )
)


def test_token_of_the_draft() -> None:
    """The draft's own token verifies and reads as the draft says."""
    made_us = 1_686_920_170 * 1_000_000
    found = status_list.read(TOKEN, "https://example.com/statuslists/1", jose.public_key(KEY), made_us)
    assert [found.at(i) for i in range(16)] == [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]


def test_bits_of_the_draft() -> None:
    """Twelve statuses of two bits pack and compress to the bytes of the draft, section 4.1."""
    statuses = dict(enumerate([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]))
    packed = status_list.pack(12, statuses)
    assert packed.hex() == "c944f9"
    assert jose.decode(status_list.compress(packed)).hex() == "78da3be9f2130003df0207"


def test_long_vector_of_the_draft() -> None:
    """A million places of two bits, compressed by others, read as the draft lists them."""
    found = status_list.expand({"bits": 2, "lst": LONG})
    assert {place: found.at(place) for place in LONG_PLACES} == LONG_PLACES
    assert len(found.packed) == 2**20 * 2 // 8
    assert found.packed == status_list.pack(2**20, LONG_PLACES)


@given(
    st.integers(1, 300).flatmap(
        lambda n: st.tuples(st.just(n), st.dictionaries(st.integers(0, n - 1), st.sampled_from(Status)))
    ),
    st.sampled_from(Status),
)
def test_what_is_packed_is_read(made: tuple[int, dict[int, Status]], rest: Status) -> None:
    """Every place reads as it was set, and every other as the rest."""
    places, statuses = made
    found = status_list.expand({"bits": 2, "lst": status_list.compress(status_list.pack(places, statuses, rest))})
    assert all(found.at(place) == statuses.get(place, rest) for place in range(places))


def test_every_place_is_given_in_one_list() -> None:
    """The nth place lies in the list of the nth, and lists tell together how many were given."""
    for given_ in (0, 1, 65_535, 65_536, 65_537, 200_000):
        lists = 1 + status_list.list_of(max(given_, 1))
        assert sum(status_list.given_in(list_, given_) for list_ in range(1, lists)) == given_
        assert status_list.given_in(lists, given_) == 0


@given(st.sampled_from([1, 2, 4, 8]), st.binary(min_size=1, max_size=40))
def test_every_width_reads_from_the_lowest_bit(bits: int, packed: bytes) -> None:
    """Lists of others have 1, 2, 4 or 8 bits; each byte is read from its lowest bit."""
    found = StatusList(bits, packed)
    number = int.from_bytes(packed, "little")
    assert all(found.at(i) == number >> i * bits & (1 << bits) - 1 for i in range(len(packed) * 8 // bits))
    with pytest.raises(TokenWrongError):
        found.at(len(packed) * 8 // bits)
    with pytest.raises(TokenWrongError):
        found.at(-1)


def signed(**changed: object) -> tuple[str, ec.EllipticCurvePublicKey]:
    here = setting()
    issuer = status_list.Issuer(here.key, [here.certificate, here.ca.der])
    text = status_list.sign(issuer, URI, status_list.pack(64, {7: Status.SUSPENDED}), NOW_US, ttl_s=60, lives_s=600)
    if changed:
        token = jose.parse(text, status_list.TYP)
        text = jose.sign({"typ": status_list.TYP}, {**token.payload, **changed}, here.key)
    return text, here.key.public_key()


def test_ours() -> None:
    """A list that we sign says who, when, for how long, and reads back."""
    text, key = signed()
    assert status_list.read(text, URI, key, NOW_US).at(7) == Status.SUSPENDED
    token = jose.parse(text, "statuslist+jwt")
    assert (token.payload["ttl"], token.payload["exp"] - token.payload["iat"]) == (60, 600)
    assert jose.certificates(token)[0] == setting().certificate


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sub": "https://hub.example/other"}, "STATUS_LIST_OTHER"),
        ({"exp": NOW_US // 1_000_000}, "STATUS_LIST_STALE"),
        ({"iat": None}, "STATUS_LIST"),
        ({"ttl": 0}, "STATUS_LIST"),
        ({"ttl": "60"}, "CLAIM"),
        ({"status_list": None}, "STATUS_LIST"),
        ({"status_list": {"bits": 3, "lst": "eNrbuRgAAhcBXQ"}}, "STATUS_LIST"),
        ({"status_list": {"bits": [], "lst": "eNrbuRgAAhcBXQ"}}, "STATUS_LIST"),
        ({"status_list": {"bits": True, "lst": "eNrbuRgAAhcBXQ"}}, "STATUS_LIST"),
        ({"status_list": {"bits": 1, "lst": "eNrbuRgAAhcB"}}, "STATUS_LIST"),
        ({"status_list": {"bits": 1, "lst": "AAAA"}}, "STATUS_LIST"),
        ({"status_list": {"bits": 1, "lst": "===="}}, "BASE64"),
    ],
)
def test_wrong_lists_are_refused(changed: dict[str, object], reason: str) -> None:
    """Another list, a stale one or one that cannot be read gives no statement at all."""
    text, key = signed(**changed)
    with pytest.raises(EsignError) as refused:
        status_list.read(text, URI, key, NOW_US)
    assert refused.value.reason == reason


def test_bomb_is_refused() -> None:
    """A list that expands beyond the limit is refused before it fills the memory."""
    bomb = jose.encode(zlib.compress(bytes(64 * 1024 * 1024), 9))
    with pytest.raises(TokenMalformedError):
        status_list.expand({"bits": 1, "lst": bomb})


def test_touched_list_is_refused() -> None:
    """No byte of a signed list can change."""
    text, key = signed()
    for place in range(0, len(text), 7):
        new = "A" if text[place] != "A" else "B"
        with pytest.raises(EsignError):
            status_list.read(text[:place] + new + text[place + 1 :], URI, key, NOW_US)
