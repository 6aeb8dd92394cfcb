"""Shared resources and what a provider may answer."""

import pytest

from services.exchange.domain import answers, resources
from services.exchange.domain.grants import ShareClass
from services.exchange.domain.resources import Field, Resource, ResourceError, State, may_receive


def resource(**changes):
    values = {
        "code": "records",
        "title": "记录",
        "provider": "ministry",
        "fields": (Field("has_record", "有无", "internal"),),
        "share": ShareClass.CONDITIONAL,
        "secrecy": "internal",
        "authority": False,
        "editor": "E1",
    }
    return Resource(**{**values, **changes})


def reasons(call, *arguments):
    with pytest.raises(ResourceError) as caught:
        call(*arguments)
    return {each.reason for each in caught.value.violations}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"secrecy": ""}, "LABEL_MISSING"),
        ({"secrecy": "secret"}, "LABEL_UNKNOWN"),
        ({"secrecy": "public"}, "LABEL_TOO_LOW"),
        ({"fields": ()}, "FIELDS_COUNT"),
        ({"fields": (Field("a", "", "public"), Field("a", "", "public"))}, "ROW_REPEATED"),
        ({"fields": (Field("a.b", "", "public"),)}, "NAME_FORM"),
        ({"code": "Aé"}, "CODE_FORM"),
        ({"editor": " "}, "PERSON_MISSING"),
    ],
)
def test_a_description_is_refused_by_name(changes, reason):
    """Unlabelled is denied; a label covers its fields; names are plain."""
    assert reason in reasons(resources.describe, resource(**changes))


def test_a_second_person_publishes_once():
    """Never the editor, in any spelling; published again it is the same."""
    draft = resources.describe(resource())
    assert reasons(resources.publish, draft, "e1") == {"SAME_PERSON"}
    assert reasons(resources.publish, draft, "") == {"PERSON_MISSING"}
    published = resources.publish(draft, "E2")
    assert (published.state, published.reviewer, published.version) == (State.PUBLISHED, "E2", 2)
    assert resources.publish(published, "E3") is published
    assert reasons(resources.publish, resource(state=State.WITHDRAWN), "E2") == {"RESOURCE_STATE"}


def test_labels_compare_and_the_unknown_is_denied():
    """Up to one's clearance, and nothing for an empty or unknown label on either side."""
    assert [may_receive(each, "internal") for each in ("public", "internal", "sensitive", "")] == [
        True,
        True,
        False,
        False,
    ]
    assert not may_receive("public", "")


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
