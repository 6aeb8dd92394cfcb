"""Undoes the prediction of rows (ISO 32000-1, 7.4.4.4; PNG, clause 9)."""

from itertools import accumulate

from services.esign.domain.pdf.syntax import Dict, PdfError

# Cross-reference and object streams have some five columns; a million objects make five million bytes. Each byte costs
# some 0.1 µs.
_MOST_BYTES = 6 * 1024 * 1024
_SUB, _UP, _AVERAGE, _PAETH = 1, 2, 3, 4
# These two cost seven times as much, and nobody predicts columns of numbers with them.
_MOST_DEAR_BYTES = 256 * 1024


def unpredicted(data: bytes, parameters: Dict) -> bytes:
    """The bytes before prediction. Raises PdfError for what is not 8-bit PNG prediction of one component."""
    predictor = parameters.get("Predictor", 1)
    if predictor == 1:
        return data
    columns = parameters.get("Columns", 1)
    plain = parameters.get("Colors", 1) == 1 and parameters.get("BitsPerComponent", 8) == 8
    if type(predictor) is not int or not 10 <= predictor <= 15 or type(columns) is not int or columns < 1 or not plain:
        raise PdfError("FILTER", "predictor is not known here", unsupported=True)
    if max(columns, len(data)) > _MOST_BYTES:
        raise PdfError("FILTER", "predicted data are too long", limit=True)
    # A row cut short at the end is filled up with zeros, as readers do.
    missing = -len(data) % (columns + 1)
    padded = data + bytes(missing)
    kinds = padded[:: columns + 1]
    if (kinds.count(_AVERAGE) + kinds.count(_PAETH)) * columns > _MOST_DEAR_BYTES:
        raise PdfError("FILTER", "predicted data are too long", limit=True)
    if kinds.strip(b"\x02"):
        out = _mixed(padded, kinds, columns)
    else:
        out = bytearray(len(kinds) * columns)
        for column in range(columns):
            # Every row adds to the one above: a running sum a column, modulo 256.
            sums = accumulate(padded[column + 1 :: columns + 1])
            out[column::columns] = bytes(value & 0xFF for value in sums)
    return bytes(out[: len(out) - missing])


def _mixed(padded: bytes, kinds: bytes, columns: int) -> bytearray:
    out, above = bytearray(), bytes(columns)
    for number, kind in enumerate(kinds):
        start = number * (columns + 1) + 1
        above = _row(kind, bytearray(padded[start : start + columns]), above)
        out += above
    return out


def _row(kind: int, row: bytearray, above: bytes) -> bytes:
    if kind == _UP:
        return bytes((a + b) & 0xFF for a, b in zip(row, above, strict=True))
    if kind == _SUB:
        return bytes(value & 0xFF for value in accumulate(row))
    if kind not in {0, _AVERAGE, _PAETH}:
        raise PdfError("FILTER", "predictor is not known here", unsupported=True)
    left = corner = 0
    for i, up in enumerate(above if kind else b""):
        guess = (left + up) // 2 if kind == _AVERAGE else _paeth(left, up, corner)
        left, corner = (row[i] + guess) & 0xFF, up
        row[i] = left
    return bytes(row)


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
