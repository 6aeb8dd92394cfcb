"""Types that the parts of the store share."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import BigInteger, Connection, Integer, Table, Text

from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import Clock

T = TypeVar("T")
Row = Mapping[str, Any]

# SQLite numbers rows by itself only when the column's type is spelled INTEGER.
RowNumber: Final = BigInteger().with_variant(Integer, "sqlite")
# Text that is compared and ordered by its bytes, whatever the database's locale: for ranges and prefixes.
KeyText: Final = Text().with_variant(Text(collation="C"), "postgresql")


class Dialect(Protocol):
    """The statements that databases spell differently. Each runs inside the caller's unit of work."""

    name: str

    def upsert(
        self, conn: Connection, table: Table, rows: Iterable[Row], keys: Sequence[str], guard: str | None
    ) -> int:
        """Insert rows or overwrite those with the same `keys`, only where `guard` grows; returns how many took effect.

        Every row names the same columns. Of rows with the same keys in one call the greatest guard wins, or the last.
        """

    def insert_many(self, conn: Connection, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows by the database's bulk path. Every row names the same columns."""

    def insert_ignore(self, conn: Connection, table: Table, rows: Sequence[Row]) -> int:
        """Insert the rows whose primary key is not there yet; returns how many were new."""

    def next_value(self, conn: Connection, name: str, step: int = 1) -> int:
        """Adds `step` to the counter `name` (from 0) and returns it; the row stays locked until the unit ends."""

    def next_values(self, conn: Connection, names: Sequence[str]) -> list[int]:
        """`next_value` of several different counters, in the order of `names`."""

    def time_us(self, conn: Connection) -> int:
        """The instant now, µs, by a clock that all processes of the store share."""

    def take_schema(self, conn: Connection) -> bool:
        """Make this unit the only one that changes the schema until it ends; False while another replica does."""

    def failure(self, error: BaseException) -> HubError | None:
        """The typed error when the database itself failed; None when the unit did (a constraint, a bug)."""


class Engine(Protocol):
    """Runs units of work on one database."""

    told: Callable[[frozenset[str]], None]
    """Called with what a unit announced, on the event loop, after its commit."""

    # Not a coroutine: one more frame for every write would be a tenth of its cost on SQLite.
    def write(self, work: Callable[..., T], args: tuple[Any, ...]) -> Awaitable[T]: ...

    async def read(self, work: Callable[..., T], args: tuple[Any, ...]) -> T: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits of a unit, s: writing (it holds up others), reading, and waiting for a lock."""

    write: float = 10.0
    read: float = 30.0
    lock: float = 5.0


# A migration takes what it takes.
PATIENT: Final = Limits(write=3600.0, read=3600.0, lock=60.0)


class ValueCipher(Protocol):
    """Encrypts values at rest, each bound to its place; `shuniu.kit.crypto.keyring.Keyring` is one."""

    def encrypt(self, plain: bytes, context: bytes) -> bytes: ...

    def decrypt(self, value: bytes, context: bytes) -> bytes: ...


@dataclass(slots=True)
class Binding:
    """Facts that a unit of work can ask of the connection it was given: see `binding_of`."""

    dialect: Dialect
    clock: Clock
    writer: str
    epoch: int = 0
    # When this store was last restored, µs; 0: never.
    restored_us: int = 0
    # None: this store keeps no values encrypted (`secret_values`).
    cipher: ValueCipher | None = None


class LostRaceError(Exception):
    """Raised inside a unit that found itself overtaken: the store runs the unit again, a bounded number of times."""


class StoreLockedError(Exception):
    """Another process has the SQLite file open for writing. One writer per file: stop the other one first."""


class SchemaError(Exception):
    """The schema and this program do not fit; the process exits 78 (EX_CONFIG)."""


class SchemaTooNewError(SchemaError):
    """The schema was migrated by a newer program: install that version, this one would damage what it does not know."""


class SchemaTooOldError(SchemaError):
    """The schema lacks a migration that this program needs: run `shuniu migrate`."""


_BINDING: Final = "shuniu.binding"
_SLOT: Final = "shuniu.slot"
_NEWS: Final = "shuniu.news"


def bind(info: dict[str, Any], binding: Binding, slot: int | None = None) -> None:
    """Attach a binding to a database connection. `slot` numbers the connections of a store that has several writers."""
    info[_BINDING] = binding
    info[_SLOT] = slot


def binding_of(conn: Connection) -> Binding:
    """The dialect, clock and epoch of the store that `conn` belongs to."""
    binding: Binding = conn.info[_BINDING]
    return binding


def announce(conn: Connection, topic: str) -> None:
    """Tells the listeners of a topic (`Store.listen`) once this unit is committed, also when its caller has left by
    then. A unit that fails announces nothing.
    """
    conn.info.setdefault(_NEWS, set()).add(topic)


def announced(conn: Connection) -> frozenset[str]:
    """Takes what the unit that ended announced, or what one that failed left behind."""
    return frozenset(conn.info.pop(_NEWS, ()))


def writer_of(conn: Connection) -> str:
    """Names the one writer behind `conn`: two units with the same name never run at the same time in one process."""
    slot = conn.info[_SLOT]
    writer = binding_of(conn).writer
    return writer if slot is None else f"{writer}/{slot}"


def latest_by_key(rows: Iterable[Row], keys: Sequence[str], guard: str | None) -> list[Row]:
    """One row for each key, of the greatest guard or the last: no statement may touch a row twice."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        if guard is None or key not in found or row[guard] > found[key][guard]:
            found[key] = row
    return list(found.values())
