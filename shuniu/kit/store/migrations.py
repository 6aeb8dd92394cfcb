"""Schema migrations, forward only, expand then contract.

Expand: add tables, columns with defaults and indexes that the running version can ignore. Contract, one release later:
drop what no running version reads. A service keeps its revisions in `<service package>/migrations/versions` and nothing
else: this module brings the environment. A first revision::

    from alembic import op
    from shuniu.kit.store.migrations import create_kit_tables

    revision = "0001"
    down_revision = None

    def upgrade() -> None:
        create_kit_tables(op.get_bind())
        op.create_table("case_file", ...)
"""

import asyncio
import importlib.util
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData

from shuniu.kit.process.clock import Clock
from shuniu.kit.store import kit_steps
from shuniu.kit.store.store import Store
from shuniu.kit.store.types import PATIENT, SchemaTooNewError, SchemaTooOldError, binding_of

_ENVIRONMENT: Final = Path(__file__).parent / "migration_env"
# How often to look whether another replica has finished migrating, s.
_LOOK_AGAIN: Final = 0.2


async def migrate(url: str, service_package: str, clock: Clock) -> str:
    """Bring a store to the newest revision of a service, e.g. "services.exchange"; returns that revision.

    All revisions are one transaction. It waits for another replica that is migrating. Raises SchemaTooNewError when the
    store is ahead of this program, StoreLockedError when the service still runs on its SQLite file.
    """
    store = Store.unchecked(url, MetaData(), clock=clock, writer="migrate", limits=PATIENT)
    try:
        while True:
            revision = await store.write(_upgrade, service_package)
            if revision is not None:
                return revision
            await asyncio.sleep(_LOOK_AGAIN)
    finally:
        await store.close()


async def check_schema(store: Store, service_package: str) -> str:
    """The revision of an open store, when it is the one this program was written for.

    Raises SchemaTooNewError or SchemaTooOldError: the process exits 78.
    """
    return await store.read(_check, service_package)


def create_kit_tables(conn: Connection) -> None:
    """Create the shared tables, in a service's first revision. Later changes to them are steps in `kit_steps.py`."""
    kit_steps.create(conn)


def revision_of(conn: Connection) -> str | None:
    """The revision a store is at; None before its first migration."""
    return MigrationContext.configure(conn).get_current_revision()


def _upgrade(conn: Connection, service_package: str) -> str | None:
    if not binding_of(conn).dialect.take_schema(conn):
        return None
    config = _config(service_package)
    _refuse_newer(conn, ScriptDirectory.from_config(config))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    kit_steps.upgrade(conn)
    return revision_of(conn)


def _check(conn: Connection, service_package: str) -> str:
    scripts = ScriptDirectory.from_config(_config(service_package))
    current = _refuse_newer(conn, scripts)
    head = scripts.get_current_head()
    if current is None or current != head:
        raise SchemaTooOldError(f"{service_package}: schema at {current}, {head} needed; run `shuniu migrate`")
    kit_steps.check(conn, service_package)
    return current


def _refuse_newer(conn: Connection, scripts: ScriptDirectory) -> str | None:
    current = revision_of(conn)
    if current is not None:
        try:
            scripts.get_revision(current)
        except CommandError:
            raise SchemaTooNewError(
                f"the schema is at {current}, which this version does not know; install the version that made it"
            ) from None
    return current


def _config(service_package: str) -> Config:
    spec = importlib.util.find_spec(service_package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{service_package} is not a package")
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("path_separator", "newline")
    versions = Path(spec.submodule_search_locations[0]) / "migrations" / "versions"
    config.set_main_option("version_locations", str(versions))
    return config
