"""Uses are counted for a consumer and a resource; a provider's revocation is remembered; calls say when they began."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text, text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "share_use",
        Column("day", Text, primary_key=True),
        Column("consumer", Text, primary_key=True),
        Column("resource", Text, primary_key=True),
        Column("calls", BigInteger, nullable=False),
    )
    # Only the counts of the day of the upgrade matter; the first sweep deletes those of earlier days.
    op.execute(
        "INSERT INTO share_use (day, consumer, resource, calls) SELECT grant_use.day, resource_grant.consumer,"
        " resource_grant.resource, SUM(grant_use.calls) FROM grant_use JOIN resource_grant"
        " ON resource_grant.id = grant_use.grant_id GROUP BY grant_use.day, resource_grant.consumer,"
        " resource_grant.resource"
    )
    op.drop_table("grant_use")
    op.create_table(
        "share_stop",
        Column("consumer", Text, primary_key=True),
        Column("resource", Text, primary_key=True),
        Column("stopped_us", BigInteger, nullable=False),
    )
    # Who revoked was not stored. So every later application of such a consumer waits for the provider's decision;
    # without these rows a revocation by the provider would be undone.
    op.execute(
        "INSERT INTO share_stop (consumer, resource, stopped_us)"
        " SELECT DISTINCT consumer, resource, 0 FROM resource_grant WHERE state = 'REVOKED'"
    )
    op.create_index("resource_grant_of", "resource_grant", ["consumer", "resource", "state"])
    op.add_column("resource", Column("daily_calls", BigInteger, nullable=False, server_default="0"))
    op.add_column("provider_call", Column("begun_us", BigInteger, nullable=False, server_default="0"))
    is_open = text("state = 'OPEN'")
    op.create_index("provider_call_open", "provider_call", ["begun_us"], sqlite_where=is_open, postgresql_where=is_open)
    # Calls stay as evidence, their answers for hours: what is swept must not be looked for among all of them.
    op.drop_index("provider_call_answered", "provider_call")
    is_kept = text("answer IS NOT NULL")
    op.create_index(
        "provider_call_kept", "provider_call", ["answered_us"], sqlite_where=is_kept, postgresql_where=is_kept
    )
