"""Pairwise subjects."""

from services.identity.persons.domain import pairwise


def test_subjects_differ_by_person_sector_and_key():
    """Pairwise: same inputs same subject, any other input another one; the newest key epoch makes it."""
    keys = {1: b"a" * 32, 2: b"b" * 32}
    first = pairwise.subject(keys, "p1", "s1")
    assert first == pairwise.subject(keys, "p1", "s1")
    assert first.epoch == 2
    others = {
        pairwise.subject(keys, "p2", "s1").value,
        pairwise.subject(keys, "p1", "s2").value,
        pairwise.subject({1: b"a" * 32}, "p1", "s1").value,
    }
    assert len(others | {first.value}) == 4
