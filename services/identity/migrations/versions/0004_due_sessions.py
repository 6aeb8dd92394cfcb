"""Sessions that are due to end, and ended ones that are due to go, are found without looking at those that are not."""

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"

_LIVE = text("ended_us = 0")
_OVER = text("ended_us > 0")


def upgrade() -> None:
    op.create_index("session_live", "session", ["expires_us"], sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_index("session_over", "session", ["expires_us"], sqlite_where=_OVER, postgresql_where=_OVER)
    op.drop_index("session_expiry", "session")
