"""The hub's own lists: what they hold, when they are made, and what a question for them costs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from cryptography import x509
from sqlalchemy import Connection, Engine, event

from services.esign.certification.domain.issued import Issued
from services.esign.domain.moments import DAY_US
from services.esign.revocation.domain import answers
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.revocation.own_list import RevocationLists
from services.esign.seals.domain.life import Revocation, RevocationReason, Seal, SealState
from services.esign.seals.store import forgotten, seals
from services.esign.seals.store.seals import P256, SealRow
from tests.support.esign import setting
from tests.support.seal_land import YEAR_US, SealLand, seal_land

NOW_US = 1_800_000_000_000_000
HOUR_US = 3600 * 1_000_000


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land() as found:
        yield found


def lists_of(land: SealLand) -> RevocationLists:
    return RevocationLists.of_hub(land.base, land.secrets)


def serials(data: bytes) -> set[int]:
    return {entry.serial_number for entry in x509.load_der_x509_crl(data)}


def ended(serial: int, reason: RevocationReason, ends_us: int) -> Callable[[Connection], None]:
    """A seal that was revoked or replaced, with a certificate of that serial number and end."""

    def unit(conn: Connection) -> None:
        seal = Seal(f"s{serial}", "police", "机构", SealState.REVOKED, 0, ends_us)
        seals.put_seal(conn, seal, 1)
        seals.set_revocation(conn, seal.id, Revocation(reason, 1, 1))
        seals.certified(conn, Issued(serial, "", ends_us), seal.id, 1)

    return unit


@contextmanager
def statements() -> Iterator[list[str]]:
    """What any store is asked meanwhile."""
    asked: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_a_list_that_has_not_changed_costs_one_row(land: SealLand) -> None:
    """However many certificates are on it, for who asks for it and for the hub's own verdicts; a change shows at once."""
    lists, last = lists_of(land), 0
    for most in (1, 10, 100):

        def put(conn: Connection, first: int = last, most: int = most) -> None:
            for serial in range(first, most):
                ended(serial + 1, RevocationReason.SUPERSEDED, 0)(conn)

        await land.base.store.write(put)
        last = most
        made = await lists.of(P256, 0)
        assert serials(made) == set(range(1, most + 1))
        for ask in (lambda: lists.of(P256, 0), lists.current):
            with statements() as asked:
                again = await ask()
            assert again in {made, (made,)}
            (one,) = [each for each in asked if not each.startswith(("BEGIN", "PRAGMA"))]
            assert "FROM seal_version" in one


async def test_those_who_ask_at_once_wait_for_one_list(land: SealLand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once and in a thread, also where one of them leaves."""
    made: list[bool] = []
    crl = answers.crl

    def counted(*given: object) -> bytes:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        made.append(True)
        return crl(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(answers, "crl", counted)
    lists = lists_of(land)
    asking = [asyncio.create_task(lists.of(P256, 0)) for _ in range(5)]
    while not made:
        await asyncio.sleep(0)
    asking[0].cancel()
    found = await asyncio.gather(*asking[1:])
    assert (len(made), len(set(found))) == (1, 1)


async def test_what_ended_leaves_the_list_and_what_was_stolen_stays(land: SealLand) -> None:
    """A week after the certificate's end, when it was on a list of after that. What a thief signed stays INVALID."""
    lists, ends_us = lists_of(land), land.clock.now_us() + DAY_US
    await land.base.store.write(ended(1, RevocationReason.SUPERSEDED, ends_us))
    await land.base.store.write(ended(2, RevocationReason.KEY_COMPROMISE, ends_us))
    # Of before this was known of certificates.
    await land.base.store.write(ended(3, RevocationReason.SUPERSEDED, 0))
    land.clock.moved_us += 2 * DAY_US
    assert serials(await lists.of(P256, 0)) == {1, 2, 3}
    land.clock.moved_us += 7 * DAY_US
    assert serials(await lists.of(P256, 0)) == {2, 3}


async def test_a_list_of_a_clock_that_was_ahead_is_made_again(land: SealLand) -> None:
    """As soon as the clock is right: it is kept for half an hour, not until the clock has caught up."""
    lists = lists_of(land)
    land.clock.moved_us += YEAR_US
    ahead = x509.load_der_x509_crl(await lists.of(P256, 0))
    land.clock.moved_us -= YEAR_US
    right = await lists.of(P256, 0)
    assert x509.load_der_x509_crl(right).last_update_utc < ahead.last_update_utc
    land.clock.moved_us += HOUR_US
    assert await lists.of(P256, 0) != right


_SEAL = Seal("s1", "police", "机构", SealState.ACTIVE, 0, 1)


@pytest.mark.parametrize(
    "write",
    [
        lambda conn: seals.put_seal(conn, Seal("s2", "other", "机构", SealState.APPLIED, 0, 1), 1),
        lambda conn: seals.certified(conn, Issued(7), "s1", 1),
        lambda conn: seals.standing_changed(conn, "s1", 2),
        lambda conn: seals.made(conn, SealRow(_SEAL, b"", b"")),
        lambda conn: seals.set_seal_state(conn, _SEAL, ""),
        lambda conn: seals.set_revocation(conn, "s1", Revocation(RevocationReason.UNSPECIFIED, 1, 1)),
        lambda conn: forgotten.forget(conn, "s1", (P256,), {P256: 0}),
    ],
)
async def test_every_change_of_a_seal_raises_the_version(land: SealLand, write: Callable[[Connection], None]) -> None:
    """In the transaction that makes it: no list is taken for current that lacks a change."""
    await land.base.store.write(seals.put_seal, _SEAL, 1)
    before = await land.base.store.read(seals.version)

    def unit(conn: Connection) -> int:
        write(conn)
        return seals.version(conn)

    assert await land.base.store.write(unit) > before


def test_the_library_reads_every_kind_of_entry() -> None:
    """With reason, dates and the authority's signature, as the hub stated them; also of a time after 2049."""
    late_us = 3_000_000_000_000_000
    told = [
        CertificateStanding(1, Standing.HELD, NOW_US),
        CertificateStanding(1 << 159, Standing.REVOKED, NOW_US, RevocationReason.KEY_COMPROMISE, NOW_US - HOUR_US),
        CertificateStanding(3, Standing.REVOKED, late_us),
    ]
    found = x509.load_der_x509_crl(answers.crl(setting().ca, told, NOW_US))
    assert found.is_signature_valid(setting().ca.key.public_key())
    assert found.issuer == setting().ca.certificate.subject
    read = {}
    for entry in found:
        values = [one.value for one in entry.extensions]
        reason = next((one.reason for one in values if isinstance(one, x509.CRLReason)), None)
        invalid = next((one.invalidity_date_utc for one in values if isinstance(one, x509.InvalidityDate)), None)
        read[entry.serial_number] = entry.revocation_date_utc, reason, invalid
    assert read == {one.serial: (one.revoked_at, one.flag, one.invalid_since) for one in told}
    assert [one.serial_number for one in x509.load_der_x509_crl(answers.crl(setting().ca, [], NOW_US))] == []
