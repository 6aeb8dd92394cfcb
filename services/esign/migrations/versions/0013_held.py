"""Since when a seal is suspended. What ended a suspended seal is dated back to the suspension (X.509, 8.5.2.2)."""

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, select, text, update

revision = "0013"
down_revision = "0012"

OUT = "(state IN ('SUSPENDED', 'REVOKED', 'REPLACED') OR held_us IS NOT NULL)"


def upgrade() -> None:
    op.add_column("seal", Column("held_us", BigInteger))
    _date_holds()
    op.drop_index("seal_out", "seal")
    op.create_index("seal_out", "seal", ["id"], sqlite_where=text(OUT), postgresql_where=text(OUT))


def _date_holds() -> None:
    tables = MetaData()
    dates = [Column(name, BigInteger) for name in ("held_us", "revoked_us", "invalid_us")]
    seal = Table("seal", tables, Column("id", Text), Column("state", Text), *dates)
    certificate = Table("seal_certificate", tables, Column("seal_id", Text), Column("since_us", BigInteger))
    change = Table(
        "seal_change",
        tables,
        Column("id", Text),
        Column("seal_id", Text),
        Column("state", Text),
        Column("at_us", BigInteger),
    )
    conn = op.get_bind()
    # The journal is younger than suspensions are.
    suspended = select(certificate).join(seal, seal.c.id == certificate.c.seal_id).where(seal.c.state == "SUSPENDED")
    held: dict[str, int | None] = {row.seal_id: row.since_us for row in conn.execute(suspended)}
    moves = select(change).where(change.c.state.in_(("SUSPENDED", "ACTIVE"))).order_by(change.c.id)
    for row in conn.execute(moves):
        held[row.seal_id] = row.at_us if row.state == "SUSPENDED" else None
    for seal_id, at_us in held.items():
        if at_us is None:
            continue
        conn.execute(update(seal).where(seal.c.id == seal_id).values(held_us=at_us))
        for date in (seal.c.revoked_us, seal.c.invalid_us):
            conn.execute(update(seal).where(seal.c.id == seal_id, date > at_us).values({date.name: at_us}))
