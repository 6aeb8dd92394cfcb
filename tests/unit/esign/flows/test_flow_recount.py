"""Counting flows from the ledger: what agrees, and what no honest course of things leaves there."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.esign.flows.domain.recount import Tally, differences
from services.esign.ledger.domain.ledger import Entry, EntryType

FLOW = "01JZ00000000000000000000SE"


def entry(kind: EntryType, state: str, step: str = "", flow: str = FLOW, at: int = 1, **more: str) -> Entry:
    return Entry(kind, at, flow=flow, scenario="case_receipt", step=step, state=state, **more)


LIFE = [
    entry(EntryType.FLOW_BEGUN, "begun"),
    entry(EntryType.FLOW_STEP, "signed", "authority", at=2),
    entry(EntryType.FLOW_STEP, "signed", "reporter", at=3),
    entry(EntryType.FLOW_ENDED, "completed", at=4),
    entry(EntryType.DOCUMENT_SEALED, "", at=5, document_sha256="ab" * 32),
]
COUNTS = Counter(
    {
        ("case_receipt", "", "begun"): 1,
        ("case_receipt", "authority", "signed"): 1,
        ("case_receipt", "reporter", "signed"): 1,
        ("case_receipt", "", "completed"): 1,
    }
)


@given(st.permutations(LIFE), st.integers(0, 4), st.integers(0, 5))
def test_order_and_repetition_change_nothing(entries, again, where):
    """The ledger may hold a flow's entries in any order, and one of them twice after a crash."""
    tally = Tally()
    tally.add([*entries[:where], LIFE[again], *entries[where:], Entry(EntryType.EVIDENCE, 9)])
    assert (tally.finished().counts, tally.faults) == (COUNTS, [])


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (entry(EntryType.FLOW_ENDED, "completed", at=9), "ended twice, completed and completed"),
        (entry(EntryType.FLOW_ENDED, "expired", at=9), "ended twice, completed and expired"),
        (entry(EntryType.DOCUMENT_SEALED, "", at=9, document_sha256="cd" * 32), "two final documents"),
        (entry(EntryType.FLOW_STEP, "signed", "reporter", at=9), "reporter signed twice"),
        (entry(EntryType.FLOW_BEGUN, "begun", at=9), "begun twice"),
        (entry(EntryType.FLOW_STEP, "signed", "reporter", flow="01JZ00000000000000000000XX"), "never begun"),
        (
            entry(EntryType.DOCUMENT_SEALED, "", flow="01JZ00000000000000000000XX", document_sha256="cd" * 32),
            "and not completed",
        ),
    ],
)
def test_a_second_end_a_second_signature_a_second_document_are_found(more, fault):
    """Double completion and the like show in the ledger, whatever the store says."""
    tally = Tally()
    tally.add([*LIFE, more])
    assert len(tally.finished().faults) == 1
    assert fault in tally.faults[0]


def test_a_store_that_says_otherwise_is_named_with_the_place():
    """What was counted away or added in the store is said by scenario, step and outcome."""
    kept = COUNTS.copy()
    kept["case_receipt", "", "completed"] += 1
    kept["case_receipt", "reporter", "signed"] -= 1
    assert differences(COUNTS, kept) == [
        "case_receipt/completed: 1 in the ledger, 2 in the store",
        "case_receipt/reporter/signed: 1 in the ledger, 0 in the store",
    ]
    assert differences(COUNTS, COUNTS.copy()) == []
