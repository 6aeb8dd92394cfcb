"""Enrolment tokens that are over are found without looking at the others."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("enrolment_token_expiry", "enrolment_token", ["expires_us"])
