"""Digests of questions and answers with SM3, in hubs of the profile sm."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("question_sm3", "answer_sm3"):
        op.add_column("provider_call", Column(name, Text, nullable=False, server_default=""))
