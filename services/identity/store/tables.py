"""Identity's tables. Secrets stand as SHA-256 or HMAC, keys encrypted; no name, login name or number in clear."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from shuniu.kit.feed import replica_tables
from shuniu.kit.sql.tables import kit_tables

METADATA: Final = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


# Registry. Lists are JSON arrays. feed_version orders changes of all platforms without gaps.
platform = Table(
    "platform",
    METADATA,
    _key("code"),
    _text("name"),
    _text("kind"),
    _text("division"),
    _text("uscc"),
    _text("state"),
    _text("scopes"),
    _text("redirect_uris"),
    _text("sector"),
    _text("jwks"),
    _text("zone"),
    _text("secrecy"),
    _text("contact_phone"),
    _text("subscriptions"),
    _number("version"),
    _number("feed_version"),
    _number("created_us"),
    # 0 until the platform has a place on the bus; rises when its account key is replaced.
    _number("bus_generation"),
    # Second at which its bus credentials were cut; 0 while they work.
    _number("bus_suspended_s"),
    Index("platform_feed", "feed_version"),
    Index("platform_sector", "sector"),
)

platform_certificate = Table(
    "platform_certificate",
    METADATA,
    _key("sha256"),
    _text("platform"),
    _number("not_after_us"),
    _number("issued_us"),
    Index("platform_certificate_platform", "platform"),
)

enrolment_token = Table(
    "enrolment_token",
    METADATA,
    _key("hash"),
    _text("platform"),
    _number("expires_us"),
    _number("used_us"),
)

operator = Table(
    "operator",
    METADATA,
    _key("name"),
    _text("scopes"),
    _text("certificate_sha256"),
    _number("not_after_us"),
    _number("created_us"),
)

# Sessions that ended within the life of an access token, for the feed.
ended_session = Table(
    "ended_session",
    METADATA,
    _key("session_id"),
    _number("ended_us"),
    _number("feed_version"),
    Index("ended_session_feed", "feed_version"),
    Index("ended_session_ended", "ended_us"),
)

# Private keys are encrypted under the key ring.
signing_key = Table(
    "signing_key",
    METADATA,
    _key("kid"),
    _text("state"),
    _text("public_jwk"),
    Column("private", LargeBinary, nullable=False),
    _number("created_us"),
    _number("active_from_us"),
    _number("retire_at_us"),
)

person = Table(
    "person",
    METADATA,
    _key("person_id"),
    _text("display_name"),
    Column("ial", Integer, nullable=False, server_default="1"),
    _number("created_us"),
    _number("verified_us"),
    # The authority's word: its transaction id and the digest of its answer.
    _text("transaction_id"),
    _text("evidence_sha256"),
    # Instead of it in a hub of the profile sm.
    _text("evidence_sm3"),
)

# login_index = HMAC of the folded login name.
credential = Table(
    "credential",
    METADATA,
    _key("login_index"),
    _text("person_id"),
    _text("password_hash"),
    _number("created_us"),
    Index("credential_person", "person_id", unique=True),
)

sign_in_failure = Table(
    "sign_in_failure",
    METADATA,
    _key("login_index"),
    _number("window_us"),
    _number("failures"),
    Index("sign_in_failure_window", "window_us"),
)

session = Table(
    "session",
    METADATA,
    _key("session_id"),
    _text("secret_hash"),
    _text("person_id"),
    _number("authenticated_us"),
    _number("expires_us"),
    Column("aal", Integer, nullable=False, server_default="1"),
    # The store's epoch when it began: a session from before a restore may have ended since, so it is over.
    _number("epoch"),
    _number("ended_us"),
    _text("end_reason"),
    Index("session_secret", "secret_hash", unique=True),
    Index("session_expiry", "ended_us", "expires_us"),
)

# Platforms that hold tokens of a session; profile_us is when one first asked for the person's name, 0 if never.
session_client = Table("session_client", METADATA, _key("session_id"), _key("platform"), _number("profile_us"))

authorization_code = Table(
    "authorization_code",
    METADATA,
    _key("code_hash"),
    _text("session_id"),
    _text("platform"),
    _text("redirect_uri"),
    _text("scope"),
    _text("nonce"),
    _text("challenge"),
    _number("expires_us"),
    _number("used_us"),
    # The family begun with it; a replay ends that.
    _text("family_id"),
    Index("authorization_code_expiry", "expires_us"),
)

token_family = Table(
    "token_family",
    METADATA,
    _key("family_id"),
    _text("session_id"),
    _text("platform"),
    _text("scope"),
    _number("generation"),
    _number("rotated_us"),
    _number("expires_us"),
    _number("ended_us"),
    _text("end_reason"),
    Index("token_family_session", "session_id"),
    Index("token_family_expiry", "expires_us"),
)

refresh_token = Table(
    "refresh_token",
    METADATA,
    _key("token_hash"),
    _text("family_id"),
    _number("generation"),
    Index("refresh_token_family", "family_id"),
)

# Pairwise subjects given out; a subject stays when its key epoch ends.
subject = Table(
    "subject",
    METADATA,
    _key("sector"),
    _key("subject"),
    _text("person_id"),
    _number("epoch"),
    Index("subject_person", "person_id", "sector", unique=True),
)

consent = Table(
    "consent",
    METADATA,
    _key("person_id"),
    _key("platform"),
    _text("scope"),
    _number("time_us"),
)

# Who was given which fields of whom, and why; shown to the person.
reveal = Table(
    "reveal",
    METADATA,
    _key("reveal_id"),
    _text("person_id"),
    _text("receiver"),
    _text("case_code"),
    _text("fields"),
    _text("purpose"),
    _number("time_us"),
    Index("reveal_person", "person_id", "reveal_id"),
)
