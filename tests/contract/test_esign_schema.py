"""Esign's migrations make the tables that its code expects, on every database."""

import importlib
from dataclasses import replace

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import select

from services.esign.certification.domain.issued import Issued
from services.esign.documents.store import certificates, stages
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store.certificates import CertificateRow
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import Revocation, RevocationReason, Seal, SealState
from services.esign.seals.store import history, seals
from services.esign.store import METADATA
from shuniu.kit.crypto.sm import sm3
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.schema import assert_schema_matches
from tests.support.esign import setting

DOCUMENT = CertificateRow("", "", "t", "i", "", "h", "", "S", 1, b"", "", CertificateState.VALID, "", "", b"", -1, "")


async def test_migrations_make_the_schema(store_url):
    """A migrated store is what the code was written for."""
    await assert_schema_matches("services.esign", METADATA, store_url)


async def test_holds_of_before_are_dated(store_url):
    """Migration 0013: a seal that is suspended, or ended so, is out of use since then; one that was resumed is not."""
    lives = {
        "suspended": (("ACTIVE", 1), ("SUSPENDED", 5)),
        "revoked": (("ACTIVE", 1), ("SUSPENDED", 5), ("REVOKED", 9)),
        "resumed": (("ACTIVE", 1), ("SUSPENDED", 5), ("ACTIVE", 7), ("REVOKED", 9)),
        "expired": (("ACTIVE", 1), ("SUSPENDED", 5), ("EXPIRED", 9)),
        "older": (("SUSPENDED", 5),),
    }
    clock = ManualClock(1)
    await migrate(store_url, "services.esign", clock)
    store = await Store.open(store_url, METADATA, clock=clock)
    step = importlib.import_module("services.esign.migrations.versions.0013_held")

    def put(conn):
        for name, moves in lives.items():
            state = SealState(moves[-1][0])
            seals.put_seal(conn, Seal(name, "police", "机构", state, 0, 0, applicant=name), 1)
            if state is SealState.REVOKED:
                seals.set_revocation(conn, name, Revocation(RevocationReason.UNSPECIFIED, 9, 9))
            seals.certified(conn, Issued(len(name)), name, 5)
            for number, (moved, at_us) in enumerate(moves if name != "older" else ()):
                history.keep_change(conn, history.Change(f"{name}{number}", name, moved, at_us, "", ""))
        with Operations.context(MigrationContext.configure(conn)):
            step._date_holds()
        rows = conn.execute(select(seals.seal.c.id, seals.seal.c.held_us, seals.seal.c.revoked_us))
        return {name: (held_us, revoked_us) for name, held_us, revoked_us in rows}

    try:
        assert await store.write(put) == {
            "suspended": (5, None),
            "revoked": (5, 5),
            "resumed": (None, 9),
            "expired": (5, None),
            "older": (5, None),
        }
    finally:
        await store.close()


async def test_the_sm3_of_documents_of_before_is_computed_once(store_url):
    """Migration 0015: of both forms of what was released, also where a part was known; not of what is under way."""
    clock = ManualClock(1)
    await migrate(store_url, "services.esign", clock)
    store = await Store.open(store_url, METADATA, clock=clock)
    step = importlib.import_module("services.esign.migrations.versions.0015_sm3_with_release")

    def put(conn):
        numbers = ["N1", "N2", "N3"]
        stages.take_slots(conn, [replace(DOCUMENT, number=each, case_code=each) for each in numbers])
        stages.keep_bytes(
            conn, [stages.Made(each, each.encode(), each, "", b"", b"ofd " + each.encode()) for each in numbers]
        )
        stages.release(conn, [stages.Logged("N1", 1, "", "known", "known too"), stages.Logged("N2", 2, "", "x", "y")])
        for form in digest_store.Form:
            conn.execute(form.value.delete().where(form.value.c.number == "N2"))
        with Operations.context(MigrationContext.configure(conn)):
            step.upgrade()
            step.upgrade()
        return [dict(conn.execute(select(form.value.c.number, form.value.c.sm3)).all()) for form in digest_store.Form]

    try:
        pdf, ofd = await store.write(put)
        assert pdf == {"N1": "known", "N2": sm3(b"N2").hex()}
        assert ofd == {"N1": "known too", "N2": sm3(b"ofd N2").hex()}
    finally:
        await store.close()


async def test_documents_of_before_are_counted_once(store_url):
    """Migration 0016: what was issued before is counted once, what is under way is not."""
    clock = ManualClock(1)
    await migrate(store_url, "services.esign", clock)
    store = await Store.open(store_url, METADATA, clock=clock)
    step = importlib.import_module("services.esign.migrations.versions.0016_sweeps")

    def put(conn):
        stages.take_slots(conn, [replace(DOCUMENT, number=each, case_code=each) for each in ("N1", "N2", "N3")])
        conn.execute(
            certificates.certificate.update().where(certificates.certificate.c.number != "N3").values(stage="ISSUED")
        )
        with Operations.context(MigrationContext.configure(conn)):
            step.count_issued()
        return certificates.issued_count(conn)

    try:
        assert await store.write(put) == 2
    finally:
        await store.close()


async def test_lists_learn_of_certificates_of_before(store_url):
    """Migration 0018: who issued them and when they end; a person's is encrypted and stays unknown."""
    clock = ManualClock(1)
    await migrate(store_url, "services.esign", clock)
    store = await Store.open(store_url, METADATA, clock=clock)
    step = importlib.import_module("services.esign.migrations.versions.0018_lists")
    issued = Issued.of(setting().certificate)

    def put(conn):
        for name, certificate in (("one", setting().certificate), ("person", b"encrypted")):
            seal = Seal(name, name, "机构", SealState.REVOKED, 0, 0)
            seals.put_seal(conn, seal, 1)
            seals.made(conn, seals.SealRow(seal, certificate, b""))
        for serial, name in ((issued.serial, "one"), (7, "one"), (8, "person")):
            seals.certified(conn, Issued(serial), name, 1)
        step.read_certificates(conn)
        rows = conn.execute(select(seals.seal_certificate))
        return {Issued(int(row.serial, 16), row.issuer, row.ends_us) for row in rows}

    try:
        assert await store.write(put) == {issued, Issued(7), Issued(8)}
    finally:
        await store.close()
