from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, delete, update

from shuniu.kit.store import audit as trail
from shuniu.kit.store.audit import AuditRecord, Fault, Finding, Head
from shuniu.kit.store.sqlite import SqliteDialect
from shuniu.kit.store.tables import KIT, audit, audit_head
from shuniu.kit.store.types import Binding, bind
from shuniu.kit.testing import ManualClock

LENGTH = 8
CHANGEABLE = ["actor", "actor_kind", "action", "object", "outcome", "request_id", "details"]


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path}/audit.db")
    with engine.connect() as connection:
        bind(connection.info, Binding(SqliteDialect(), ManualClock(), "w", 1))
        KIT.create_all(connection)
        for number in range(LENGTH):
            trail.append(connection, AuditRecord("a", "PLATFORM", "case.accept", f"case/{number}"))
        connection.commit()
        yield connection
    engine.dispose()


def faults(conn: Connection) -> tuple[Finding, ...]:
    return trail.verify(conn).findings


def test_untouched_chain_is_sound(conn: Connection) -> None:
    """A chain that nobody touched has no findings, every record was read, and its head is the last record."""
    report = trail.verify(conn, trail.heads(conn))
    assert (report.chains, report.records, report.findings) == (1, LENGTH, ())
    assert [head.seq for head in trail.heads(conn)] == [LENGTH]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(seq=st.integers(1, LENGTH), column=st.sampled_from(CHANGEABLE), value=st.text(max_size=10))
def test_a_changed_record_shows(conn: Connection, seq: int, column: str, value: str) -> None:
    """Any change of any field of any record is found, at that record."""
    where = audit.c.seq == seq
    before = conn.execute(audit.select().where(where)).mappings().one()[column]
    conn.execute(update(audit).where(where).values({column: value}))
    expected = () if before == value else (Finding("w", seq, Fault.CHANGED),)
    assert faults(conn) == expected
    conn.rollback()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(gone=st.sets(st.integers(1, LENGTH), min_size=1))
def test_deleted_records_show(conn: Connection, gone: set[int]) -> None:
    """Records deleted anywhere, also all of them or the last ones, are found missing."""
    conn.execute(delete(audit).where(audit.c.seq.in_(gone)))
    assert Finding("w", min(gone), Fault.MISSING) in faults(conn)
    conn.rollback()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.lists(st.integers(1, LENGTH), min_size=2, max_size=2, unique=True))
def test_swapped_records_show(conn: Connection, pair: list[int]) -> None:
    """Two records whose places were exchanged are both found."""
    one, other = pair
    for old, new in ((one, -1), (other, one), (-1, other)):
        conn.execute(update(audit).where(audit.c.seq == old).values(seq=new))
    assert {one, other} <= {finding.seq for finding in faults(conn)}
    conn.rollback()


def rehash(conn: Connection) -> None:
    """What somebody with the database and this program would do: forge a record, then mend every later hash."""
    conn.execute(update(audit).where(audit.c.seq == 3).values(actor="forged"))
    previous = b""
    rows = conn.execute(audit.select().order_by(audit.c.seq)).mappings().all()
    for row in rows:
        mended = {**row, "prev_hash": previous}
        previous = trail._ALGORITHMS["sha-256"](trail._canonical(mended))
        conn.execute(
            update(audit).where(audit.c.seq == row["seq"]).values(prev_hash=mended["prev_hash"], hash=previous)
        )
    conn.execute(update(audit_head).values(hash=previous))


def cut(conn: Connection) -> None:
    last = conn.execute(audit.select().where(audit.c.seq == 2)).mappings().one()
    conn.execute(delete(audit).where(audit.c.seq > 2))
    conn.execute(update(audit_head).values(seq=2, hash=last["hash"]))


@pytest.mark.parametrize(("forge", "fault"), [(rehash, Fault.CHANGED), (cut, Fault.MISSING)])
def test_a_logged_head_shows_what_the_chain_cannot(
    conn: Connection, forge: Callable[[Connection], None], fault: Fault
) -> None:
    """A chain forged so well that it is sound in itself still does not hold the head that was logged elsewhere."""
    logged = trail.heads(conn)
    forge(conn)
    assert faults(conn) == ()
    assert trail.verify(conn, logged).findings == (Finding("w", LENGTH, fault),)


def test_unknown_algorithm_is_no_proof(conn: Connection) -> None:
    """A record hashed by an algorithm that this program does not know is a finding, not a pass."""
    conn.execute(update(audit).where(audit.c.seq == 2).values(algorithm="md5"))
    assert faults(conn) == (Finding("w", 2, Fault.UNKNOWN_ALGORITHM),)


def test_each_record_names_its_algorithm(conn: Connection) -> None:
    """A chain may change its algorithm half way, as a hub does that goes over to SM3."""
    trail.append(conn, AuditRecord("a", "PLATFORM", "case.accept", "case/9"), algorithm="sm3")
    assert trail.verify(conn).sound


def test_a_chain_without_head_is_no_chain(conn: Connection) -> None:
    """Records whose head was removed are found."""
    conn.execute(delete(audit_head))
    assert faults(conn) == (Finding("w", LENGTH, Fault.UNLINKED),)


def test_head_of_an_unknown_writer_is_missing(conn: Connection) -> None:
    """A writer whose whole chain is gone is found by the head that was logged."""
    assert trail.verify(conn, [Head("gone", 4, b"x")]).findings == (Finding("gone", 4, Fault.MISSING),)
