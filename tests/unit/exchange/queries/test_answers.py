"""What a provider may answer."""

import pytest

from services.exchange.queries.domain import answers


def test_answers_are_read_strictly():
    """An object of exact values once named; everything else is refused with its reason."""
    assert answers.read_answer(b'{"a": [1, -0.5, null, true, "x"]}') == {"a": [1, -0.5, None, True, "x"]}
    for data, reason in (
        (b"", "ANSWER_NOT_JSON"),
        (b"1", "ANSWER_NOT_OBJECT"),
        (b'{"a": Infinity}', "ANSWER_NOT_JSON"),
        (b'{"a": 1e999}', "NUMBER_NOT_EXACT"),
        (b'{"a": 9007199254740993}', "NUMBER_NOT_EXACT"),
        (b'{"a": 1, "a": 2}', "ANSWER_NOT_JSON"),
        (b'{"a": "\\ud800"}', "ANSWER_NOT_JSON"),
        (b'{"\\udfff": 1}', "ANSWER_NOT_JSON"),
        (b"[" * 100_000, "ANSWER_NOT_JSON"),
        (b'{"a":' * 20 + b"1" + b"}" * 20, "ANSWER_TOO_DEEP"),
        (b'{"a": "' + b"x" * answers.MAX_BYTES + b'"}', "ANSWER_TOO_LARGE"),
    ):
        with pytest.raises(answers.AnswerError) as caught:
            answers.read_answer(data)
        assert caught.value.reason == reason, data[:40]


def test_no_identity_number_leaves_in_clear():
    """Not as a value, a name, inside a list, or as a number."""
    for fields in (
        {"a": "11010519491231002X"},
        {"11010519491231002X": 1},
        {"a": [{"b": "号码 1101 0519 4912 3100 2X"}]},
        {"a": 110105491231002},
    ):
        with pytest.raises(answers.AnswerError):
            answers.check_leaving(fields)
    answers.check_leaving({"a": False, "b": 12, "c": ["2026-11-01"]})
