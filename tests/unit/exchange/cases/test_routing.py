"""Which agency handles an application."""

import sys
import threading
from datetime import date

import pytest

from services.exchange.cases.domain.routing import Item, ItemBook, ItemState, RoutingError

TODAY = date(2026, 11, 20)
BASE = "152009001000"


def implementing(code, division, **changes):
    values = {"handler": f"bureau-{code}", "state": ItemState.PUBLISHED, **changes}
    return Item(code, BASE, "证明", division, **values)


def book(*items):
    found = ItemBook()
    found.put(Item(BASE, "", "证明", "150000", "", ItemState.PUBLISHED, other_code="1509000001"))
    for item in items:
        found.put(item)
    return found


def reason(found, code, division=""):
    with pytest.raises(RoutingError) as caught:
        found.route(code, division, TODAY)
    return caught.value.reason


def test_a_division_without_its_own_item_belongs_to_its_city_then_its_province():
    """District → city → province, the nearest one that offers the item."""
    found = book(implementing("P", "150000"), implementing("C", "150100"), implementing("D", "150102"))
    assert [found.route(BASE, each, TODAY).code for each in ("150102", "150103", "150100", "150202", "150000")] == [
        "D",
        "C",
        "C",
        "P",
        "P",
    ]
    assert reason(found, BASE, "610100") == "NO_HANDLING_AGENCY"


def test_codes_of_both_schemes_name_an_item():
    """A base item by its 10- or 12-character code; an implementing item without a division, or with its own."""
    found = book(implementing("C", "150100", other_code="SHORT"))
    assert found.route("1509000001", "150100", TODAY).code == "C"
    assert found.route("SHORT", "", TODAY).code == "C"
    assert found.route("C", "150100", TODAY).code == "C"
    assert reason(found, "C", "150200") == "DIVISION_NOT_EXPECTED"
    assert reason(found, "X") == "ITEM_UNKNOWN"
    for division in ("", "15", "15010a", "１５０１００"):
        assert reason(found, BASE, division) == "DIVISION_FORM"


GONE = ({"state": ItemState.WITHDRAWN}, {"begins": date(2026, 11, 21)}, {"ends": date(2026, 11, 20)})


def test_only_open_items_are_applied_for():
    """Suspended, withdrawn, not yet or no longer in force: nobody applies; an open sibling at the same place wins."""
    for closed in ({"state": ItemState.SUSPENDED}, *GONE):
        assert reason(book(implementing("A", "150100", **closed)), "A") == "ITEM_NOT_OPEN"
        found = book(implementing("A", "150100", **closed), implementing("B", "150100"))
        assert found.route(BASE, "150100", TODAY).code == "B"


def test_who_cannot_apply_learns_why():
    """The publisher's reason for a suspended item, by its own code and by the base code; of several, none is the applicant's."""
    shut = {"state": ItemState.SUSPENDED, "closed_because": "系统升级"}
    found = book(implementing("A", "150100", **shut))
    for code, division in (("A", ""), (BASE, "150100")):
        with pytest.raises(RoutingError) as caught:
            found.route(code, division, TODAY)
        assert caught.value.why == "系统升级"
    with pytest.raises(RoutingError) as caught:
        book(implementing("A", "150100", **shut), implementing("B", "150100", **shut)).route(BASE, "150100", TODAY)
    assert caught.value.why == ""


def test_what_a_county_no_longer_offers_hides_nothing_above_it():
    """Withdrawn, over or not yet begun, a county's item leaves its people to the city; a suspended one is the county's still."""
    for gone in GONE:
        found = book(implementing("D", "150102", **gone), implementing("C", "150100"))
        assert found.route(BASE, "150102", TODAY).code == "C"
        assert reason(book(implementing("D", "150102", **gone)), BASE, "150102") == "NO_HANDLING_AGENCY"
    shut = book(implementing("D", "150102", state=ItemState.SUSPENDED), implementing("C", "150100"))
    assert reason(shut, BASE, "150102") == "ITEM_NOT_OPEN"


def test_of_two_agencies_of_one_place_none_is_chosen():
    """The hub names both codes and sends the case to neither; with a code of one of them it goes there."""
    found = book(implementing("A", "150100"), implementing("B", "150100"), implementing("P", "150000"))
    with pytest.raises(RoutingError) as caught:
        found.route(BASE, "150102", TODAY)
    assert (caught.value.reason, caught.value.codes) == ("AGENCY_AMBIGUOUS", ("A", "B"))
    assert found.route("B", "", TODAY).code == "B"


def test_a_unit_of_work_never_sees_half_of_a_change():
    """An item that moves between two codes of the other scheme is found by one of them or the other, never lost."""
    found = book(implementing("A", "150100", other_code="OLD"))
    stop = threading.Event()
    lost: list[str] = []

    def read():
        while not stop.is_set():
            try:
                found.route(BASE, "150100", TODAY)
            except RoutingError as error:
                lost.append(error.reason)

    readers = [threading.Thread(target=read) for _ in range(2)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for reader in readers:
            reader.start()
        for turn in range(2000):
            found.put(implementing("A", "150100", other_code=f"NEW{turn}"))
    finally:
        stop.set()
        for reader in readers:
            reader.join(10)
        sys.setswitchinterval(before)
    assert lost == []


def test_an_item_that_moves_leaves_nothing_behind():
    """The feed replaces rows: the old place and the old second code lead nowhere."""
    found = book(implementing("A", "150100", other_code="OLD"))
    found.put(implementing("A", "150200", other_code="NEW"))
    assert reason(found, BASE, "150100") == "NO_HANDLING_AGENCY"
    assert reason(found, "OLD") == "ITEM_UNKNOWN"
    assert found.route("NEW", "", TODAY).division == "150200"
    found.become(ItemBook.of([]))
    assert len(found) == 0
