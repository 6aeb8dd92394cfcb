"""What waits has an index of its own, and none is of all stages: SQLite took that one for every question that named a
stage, and walked through all issued documents to find one by its digest.
"""

from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    for table in ("certificate", "licence"):
        op.drop_index(f"{table}_stage", table)
        _partial(f"{table}_under_way", table, ["stage", "seal_id"], "stage <> 'ISSUED'")
    op.create_index("certificate_seal", "certificate", ["seal_id", "number"])
    op.create_index("seal_holder", "seal", ["holder", "id"])
    _partial("seal_lasting", "seal", ["not_after_us"], "state IN ('ISSUED', 'ACTIVE', 'SUSPENDED')")
    _partial("seal_out", "seal", ["id"], "state IN ('SUSPENDED', 'REVOKED', 'REPLACED')")
    ended = "state IN ('REVOKED', 'EXPIRED', 'REPLACED', 'REJECTED')"
    _partial("seal_key_left", "seal", ["id"], f"{ended} AND length(wrapped_key) > 0")
    _partial("flow_step_granted", "flow_step", ["seal_id"], "state = 'AUTHORISED'")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=text(where), postgresql_where=text(where))
