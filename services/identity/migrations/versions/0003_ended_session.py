"""Sessions that ended are forgotten by when they did, without looking at all of them."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ended_session_ended", "ended_session", ["ended_us"])
