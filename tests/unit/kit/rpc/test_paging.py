import pytest
from hypothesis import given
from hypothesis import strategies as st

from shuniu.kit.errors import HubError
from shuniu.kit.rpc.paging import decode_token, encode_token, page_size

KEY = b"k" * 32
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
positions = st.lists(st.one_of(text, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=4).map(tuple)


@given(text, st.binary(max_size=60), positions)
def test_token_returns_its_position(caller: str, query: bytes, position: tuple[str | int, ...]) -> None:
    """A token given back by its caller for its query is the position it was made from."""
    assert decode_token(KEY, caller, query, encode_token(KEY, caller, query, position)) == position


@given(text, text, st.binary(max_size=60), st.binary(max_size=60), positions)
def test_token_is_bound(one: str, other: str, query: bytes, another: bytes, position: tuple[str | int, ...]) -> None:
    """A token of another caller or query is refused, also where their concatenation is the same."""
    token = encode_token(KEY, one, query, position)
    if (one, query) != (other, another):
        with pytest.raises(HubError, match="PAGE_TOKEN_INVALID"):
            decode_token(KEY, other, another, token)


@given(text, st.data())
def test_made_up_tokens_are_refused(made_up: str, data: st.DataObject) -> None:
    """A string that is no token, or a token with one character changed, is refused with a typed error."""
    if made_up:
        with pytest.raises(HubError, match="PAGE_TOKEN_INVALID"):
            decode_token(KEY, "c", b"q", made_up)
    token = encode_token(KEY, "c", b"q", ("a", 1))
    # The last character carries unused bits, so two spellings of it can mean the same bytes.
    at = data.draw(st.integers(0, len(token) - 2))
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    with pytest.raises(HubError, match="PAGE_TOKEN_INVALID"):
        decode_token(KEY, "c", b"q", changed)


def test_first_page_needs_no_token() -> None:
    """The empty token begins at the beginning."""
    assert decode_token(KEY, "c", b"q", "") == ()


def test_page_size_has_bounds() -> None:
    """0 means the default, too much means the most, less than nothing is an error."""
    assert [page_size(0), page_size(7), page_size(10_000)] == [50, 7, 500]
    with pytest.raises(HubError, match="NEGATIVE_PAGE_SIZE"):
        page_size(-1)
