"""Shared resources: described, published."""

import pytest

from services.exchange.directory import domain as resources
from services.exchange.directory.domain import Field, Resource, ResourceError, ResourceState, ShareClass


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
        ({"daily_calls": -1}, "VALUE_RANGE"),
        ({"daily_calls": 10_000_001}, "VALUE_RANGE"),
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
    assert (published.state, published.reviewer, published.version) == (ResourceState.PUBLISHED, "E2", 2)
    assert resources.publish(published, "E3") is published
    assert reasons(resources.publish, resource(state=ResourceState.WITHDRAWN), "E2") == {"RESOURCE_STATE"}
