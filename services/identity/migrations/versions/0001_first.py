"""The first tables of identity."""

import sqlalchemy as sa
from alembic import op

from shuniu.kit.store.migrations import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_kit_tables(op.get_bind())
    op.create_table(
        "authorization_code",
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), server_default="", nullable=False),
        sa.Column("platform", sa.Text(), server_default="", nullable=False),
        sa.Column("redirect_uri", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("nonce", sa.Text(), server_default="", nullable=False),
        sa.Column("challenge", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("used_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("family_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("code_hash"),
    )
    op.create_index("authorization_code_expiry", "authorization_code", ["expires_us"], unique=False)
    op.create_table(
        "consent",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("time_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("person_id", "platform"),
    )
    op.create_table(
        "credential",
        sa.Column("login_index", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), server_default="", nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("created_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("login_index"),
    )
    op.create_index("credential_person", "credential", ["person_id"], unique=True)
    op.create_table(
        "ended_session",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("feed_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index("ended_session_feed", "ended_session", ["feed_version"], unique=False)
    op.create_table(
        "enrolment_token",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("used_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "operator",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), server_default="", nullable=False),
        sa.Column("certificate_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("not_after_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "person",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("ial", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("verified_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("transaction_id", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence_sha256", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_table(
        "platform",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("division", sa.Text(), server_default="", nullable=False),
        sa.Column("uscc", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("scopes", sa.Text(), server_default="", nullable=False),
        sa.Column("redirect_uris", sa.Text(), server_default="", nullable=False),
        sa.Column("sector", sa.Text(), server_default="", nullable=False),
        sa.Column("jwks", sa.Text(), server_default="", nullable=False),
        sa.Column("zone", sa.Text(), server_default="", nullable=False),
        sa.Column("secrecy", sa.Text(), server_default="", nullable=False),
        sa.Column("contact_phone", sa.Text(), server_default="", nullable=False),
        sa.Column("subscriptions", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("feed_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bus_generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bus_suspended_s", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index("platform_feed", "platform", ["feed_version"], unique=False)
    op.create_index("platform_sector", "platform", ["sector"], unique=False)
    op.create_table(
        "platform_certificate",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), server_default="", nullable=False),
        sa.Column("not_after_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("issued_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index("platform_certificate_platform", "platform_certificate", ["platform"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("family_id", sa.Text(), server_default="", nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("refresh_token_family", "refresh_token", ["family_id"], unique=False)
    op.create_table(
        "replica",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "key"),
    )
    op.create_table(
        "replica_cursor",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed"),
    )
    op.create_table(
        "reveal",
        sa.Column("reveal_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), server_default="", nullable=False),
        sa.Column("receiver", sa.Text(), server_default="", nullable=False),
        sa.Column("case_code", sa.Text(), server_default="", nullable=False),
        sa.Column("fields", sa.Text(), server_default="", nullable=False),
        sa.Column("purpose", sa.Text(), server_default="", nullable=False),
        sa.Column("time_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("reveal_id"),
    )
    op.create_index("reveal_person", "reveal", ["person_id", "reveal_id"], unique=False)
    op.create_table(
        "session",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("person_id", sa.Text(), server_default="", nullable=False),
        sa.Column("authenticated_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("aal", sa.Integer(), server_default="1", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("end_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index("session_expiry", "session", ["ended_us", "expires_us"], unique=False)
    op.create_index("session_secret", "session", ["secret_hash"], unique=True)
    op.create_table(
        "session_client",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("profile_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("session_id", "platform"),
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("login_index", sa.Text(), nullable=False),
        sa.Column("window_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("login_index"),
    )
    op.create_index("sign_in_failure_window", "sign_in_failure", ["window_us"], unique=False)
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("public_jwk", sa.Text(), server_default="", nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("active_from_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("retire_at_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kid"),
    )
    op.create_table(
        "subject",
        sa.Column("sector", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), server_default="", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("sector", "subject"),
    )
    op.create_index("subject_person", "subject", ["person_id", "sector"], unique=True)
    op.create_table(
        "token_family",
        sa.Column("family_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), server_default="", nullable=False),
        sa.Column("platform", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rotated_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("end_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("family_id"),
    )
    op.create_index("token_family_expiry", "token_family", ["expires_us"], unique=False)
    op.create_index("token_family_session", "token_family", ["session_id"], unique=False)
