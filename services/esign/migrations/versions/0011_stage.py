"""Documents by the stage they are in: what waits is found, and what was issued is counted, without reading them all."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index("certificate_stage", "certificate", ["stage"])
