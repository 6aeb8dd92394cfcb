"""Tokens of the bus: what they say, before any server reads them."""

import base64
import json

import nkeys
import pytest

from services.identity.bus import domain as bus

KEYS = bus.BusKeys(operator=b"o" * 32, system=b"s" * 32, hub=b"h" * 32, organisations=b"r" * 32)
NOW = 1_790_000_000


def claims(token: str) -> dict:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_every_token_is_signed_by_the_operator_and_verifies():
    """A server that trusts the operator's key accepts the account tokens, bit for bit."""
    org = bus.OrganisationAccount("150100")
    operator = nkeys.from_seed(nkeys.encode_seed(KEYS.operator, nkeys.PREFIX_BYTE_OPERATOR))
    for token in (
        bus.operator_token(KEYS, name="hub", now_s=NOW),
        bus.system_account_token(KEYS, now_s=NOW),
        bus.hub_account_token(KEYS, [org], now_s=NOW),
        bus.organisation_account_token(KEYS, org, now_s=NOW),
    ):
        head, body, signature = token.split(".")
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        assert operator.verify(f"{head}.{body}".encode(), raw)
        assert claims(token)["iss"] == operator.public_key.decode()


@pytest.mark.parametrize("code", ["", "a.b", "*", ">", "a b", "a\r\nb", "呼和浩特", "x" * 65])
def test_a_code_is_one_subject_token(code):
    """No organisation code can widen a subject: dots, wildcards, blanks and line ends are refused."""
    with pytest.raises(bus.BusAccountError) as refused:
        bus.OrganisationAccount(code)
    assert refused.value.reason == "ORGANISATION_CODE"


def test_the_organisation_may_read_its_inbox_and_submit_and_nothing_else():
    """A credential can neither make, change, purge nor delete a stream, nor publish a delivery."""
    allowed = bus.organisation_permissions()["pub"]["allow"]
    for verb in ("CREATE", "UPDATE", "DELETE", "PURGE", "RESTORE", "SNAPSHOT"):
        assert not [subject for subject in allowed if subject.startswith(f"$JS.API.STREAM.{verb}")]
    assert not [subject for subject in allowed if subject.startswith(("hub.", "inbox.", "deliver.", "evt.", ">", "*"))]


def test_suspension_cuts_every_credential_issued_before():
    """A suspended account revokes all credentials up to that second; resumed, it revokes only the named ones."""
    suspended = bus.OrganisationAccount("a", suspended_at=NOW, revoked={"UX": NOW - 5})
    token = bus.organisation_account_token(KEYS, suspended, now_s=NOW)
    assert claims(token)["nats"]["revocations"] == {"*": NOW, "UX": NOW - 5}
    resumed = bus.OrganisationAccount("a", revoked={"UX": NOW - 5})
    assert claims(bus.organisation_account_token(KEYS, resumed, now_s=NOW))["nats"]["revocations"] == {"UX": NOW - 5}


def test_a_generation_replaces_the_account_key_and_codes_never_share_one():
    """Derived account keys differ by code and by generation, and are stable otherwise."""
    ids = {
        bus.organisation_account_id(KEYS, bus.OrganisationAccount(code, generation=generation))
        for code, generation in (("a", 1), ("a", 2), ("a1", 1), ("b", 1))
    }
    assert len(ids) == 4
    again = bus.organisation_account_id(KEYS, bus.OrganisationAccount("a", generation=1))
    assert again in ids


def test_the_hub_account_holds_2500_organisations_and_says_when_it_is_full():
    """One import each stays under the server's 1 MiB; beyond, a typed refusal, not a silent one."""
    fits = [bus.OrganisationAccount(f"org-{n:06}") for n in range(2500)]
    token = bus.hub_account_token(KEYS, fits, now_s=NOW)
    assert len(claims(token)["nats"]["imports"]) == 2500
    with pytest.raises(bus.BusAccountError) as full:
        bus.hub_account_token(KEYS, [*fits, *fits], now_s=NOW)
    assert full.value.reason == "HUB_ACCOUNT_FULL"


def test_secrets_do_not_print():
    """Neither keys nor credentials show a secret when logged by mistake."""
    credential = bus.organisation_credential(KEYS, bus.OrganisationAccount("a"), b"u" * 32, now_s=NOW)
    assert "SU" not in repr(credential)
    assert "ooo" not in repr(KEYS)
