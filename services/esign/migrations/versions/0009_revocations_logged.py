"""When a document was revoked and where the ledger says so: a crash between the two no longer hides it for ever.

Documents revoked before have no such time; their entries were written in the call, and are not written again.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("certificate", Column("revoked_us", BigInteger, nullable=False, server_default="0"))
    op.add_column("certificate", Column("revocation_index", BigInteger, nullable=False, server_default="-1"))
    waits = text("revoked_us > 0 AND revocation_index < 0")
    op.create_index(
        "certificate_revoked_unlogged", "certificate", ["revoked_us"], sqlite_where=waits, postgresql_where=waits
    )
