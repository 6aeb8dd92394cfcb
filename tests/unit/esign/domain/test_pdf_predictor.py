"""Prediction of rows is undone as it was made (PNG, clause 9), in work that the bytes bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.esign.domain.pdf.predictor import unpredicted
from services.esign.domain.pdf.syntax import Dict, PdfError


def parameters(columns, predictor=12):
    found = Dict()
    found.update(Predictor=predictor, Columns=columns)
    return found


def predicted(data, columns, kinds):
    """By the definition, byte by byte."""
    out, above = bytearray(), bytes(columns)
    for at, kind in zip(range(0, len(data), columns), kinds, strict=True):
        row = data[at : at + columns]
        out.append(kind)
        for i, value in enumerate(row):
            left, up, corner = (row[i - 1] if i else 0), above[i], (above[i - 1] if i else 0)
            nearest = min((left, up, corner), key=lambda one, sum_=left + up - corner: abs(sum_ - one))
            guess = (0, left, up, (left + up) // 2, nearest)[kind]
            out.append((value - guess) & 0xFF)
        above = row
    return bytes(out)


@given(st.data())
def test_every_kind_of_row_comes_back(data):
    """None, Sub, Up, Average, Paeth, mixed at will."""
    columns = data.draw(st.integers(1, 9))
    kinds = data.draw(st.lists(st.integers(0, 4), max_size=12))
    plain = data.draw(st.binary(min_size=columns * len(kinds), max_size=columns * len(kinds)))
    assert unpredicted(predicted(plain, columns, kinds), parameters(columns)) == plain


@given(st.data())
def test_rows_that_all_add_to_the_one_above_come_back(data):
    """What cross-reference streams are made of takes the short way."""
    columns, rows = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 12))
    plain = data.draw(st.binary(min_size=columns * rows, max_size=columns * rows))
    assert unpredicted(predicted(plain, columns, [2] * rows), parameters(columns)) == plain


@pytest.mark.parametrize(
    ("given_parameters", "limit"),
    [(parameters(4, 2), False), (parameters(0), False), (parameters(10**9), True), (parameters("4"), False)],
)
def test_what_is_not_known_or_too_much_is_said_to_be(given_parameters, limit):
    """TIFF prediction, no columns, a row longer than any file, a name: none is guessed at."""
    with pytest.raises(PdfError) as refused:
        unpredicted(b"\x02" + bytes(4), given_parameters)
    assert (refused.value.unsupported, refused.value.limit) == (True, limit)


def test_a_bomb_is_refused_before_it_is_worked_on():
    """Sixteen million bytes of one column: too long, by name."""
    with pytest.raises(PdfError) as refused:
        unpredicted(bytes(16 * 1024 * 1024), parameters(1))
    assert refused.value.limit
