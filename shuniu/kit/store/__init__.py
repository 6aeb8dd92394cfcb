"""The store: `Store` runs units of work, `kit_tables` is what every service stores, `Dialect` has bulk statements."""

from shuniu.kit.store.store import FORGOTTEN_MOST, Store
from shuniu.kit.store.tables import kit_tables
from shuniu.kit.store.types import (
    Binding,
    Dialect,
    LostRaceError,
    RowNumber,
    SchemaError,
    SchemaTooNewError,
    SchemaTooOldError,
    StoreLockedError,
    announce,
    binding_of,
    writer_of,
)

__all__ = [
    "FORGOTTEN_MOST",
    "Binding",
    "Dialect",
    "LostRaceError",
    "RowNumber",
    "SchemaError",
    "SchemaTooNewError",
    "SchemaTooOldError",
    "Store",
    "StoreLockedError",
    "announce",
    "binding_of",
    "kit_tables",
    "writer_of",
]
