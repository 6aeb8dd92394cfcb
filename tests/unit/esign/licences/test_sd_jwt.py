"""SD-JWT against the vectors of RFC 9901, against an independent library in both directions, and against hostile input."""

import json
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from services.esign.domain.errors import EsignError, TokenMalformedError
from services.esign.licences.domain import jose, key_binding, sd_jwt
from services.esign.licences.domain.key_binding import Expected
from services.esign.licences.domain.sd_jwt import Hidden, Padded
from tests.support.esign import NOW_US, setting
from tests.support.licences import AUDIENCE, NONCE, Wallet, issued

TYP = "dc+sd-jwt"
# RFC 9901, section 5.1 (issuance) and A.5 (the key).
RFC_SD_JWT = (
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImV4YW1wbGUrc2Qtand0In0.eyJfc2QiOiBbIkNyUWU3UzVrcUJBSHQtbk1ZWGdj"
    "NmJkdDJTSDVhVFkxc1VfTS1QZ2tqUEkiLCAiSnpZakg0c3ZsaUgwUjNQeUVNZmVadTZKdDY5dTVxZWhabzdGN0VQWWxTRSIs"
    "ICJQb3JGYnBLdVZ1Nnh5bUphZ3ZrRnNGWEFiUm9jMkpHbEFVQTJCQTRvN2NJIiwgIlRHZjRvTGJnd2Q1SlFhSHlLVlFaVTlV"
    "ZEdFMHc1cnREc3JaemZVYW9tTG8iLCAiWFFfM2tQS3QxWHlYN0tBTmtxVlI2eVoyVmE1TnJQSXZQWWJ5TXZSS0JNTSIsICJY"
    "ekZyendzY002R242Q0pEYzZ2Vks4QmtNbmZHOHZPU0tmcFBJWmRBZmRFIiwgImdiT3NJNEVkcTJ4Mkt3LXc1d1BFemFrb2I5"
    "aFYxY1JEMEFUTjNvUUw5Sk0iLCAianN1OXlWdWx3UVFsaEZsTV8zSmx6TWFTRnpnbGhRRzBEcGZheVF3TFVLNCJdLCAiaXNz"
    "IjogImh0dHBzOi8vaXNzdWVyLmV4YW1wbGUuY29tIiwgImlhdCI6IDE2ODMwMDAwMDAsICJleHAiOiAxODgzMDAwMDAwLCAi"
    "c3ViIjogInVzZXJfNDIiLCAibmF0aW9uYWxpdGllcyI6IFt7Ii4uLiI6ICJwRm5kamtaX1ZDem15VGE2VWpsWm8zZGgta284"
    "YUlLUWM5RGxHemhhVllvIn0sIHsiLi4uIjogIjdDZjZKa1B1ZHJ5M2xjYndIZ2VaOGtoQXYxVTFPU2xlclAwVmtCSnJXWjAi"
    "fV0sICJfc2RfYWxnIjogInNoYS0yNTYiLCAiY25mIjogeyJqd2siOiB7Imt0eSI6ICJFQyIsICJjcnYiOiAiUC0yNTYiLCAi"
    "eCI6ICJUQ0FFUjE5WnZ1M09IRjRqNFc0dmZTVm9ISVAxSUxpbERsczd2Q2VHZW1jIiwgInkiOiAiWnhqaVdXYlpNUUdIVldL"
    "VlE0aGJTSWlyc1ZmdWVjQ0U2dDRqVDlGMkhaUSJ9fX0.qsI0EJs0DdWOwWjl4acRpVISStrvl1mwrumox26e-"
    "hRVtoEPy520qw1QX5pMdcZ0rKrpAuWJW0RRmKueQwaK5Q~WyIyR0xDNDJzS1F2ZUNmR2ZyeU5STjl3IiwgImdpdmVuX25hbW"
    "UiLCAiSm9obiJd~WyJlbHVWNU9nM2dTTklJOEVZbnN4QV9BIiwgImZhbWlseV9uYW1lIiwgIkRvZSJd~WyI2SWo3dE0tYTVp"
    "VlBHYm9TNXRtdlZBIiwgImVtYWlsIiwgImpvaG5kb2VAZXhhbXBsZS5jb20iXQ~WyJlSThaV205UW5LUHBOUGVOZW5IZGhRI"
    "iwgInBob25lX251bWJlciIsICIrMS0yMDItNTU1LTAxMDEiXQ~WyJRZ19PNjR6cUF4ZTQxMmExMDhpcm9BIiwgInBob25lX2"
    "51bWJlcl92ZXJpZmllZCIsIHRydWVd~WyJBSngtMDk1VlBycFR0TjRRTU9xUk9BIiwgImFkZHJlc3MiLCB7InN0cmVldF9hZ"
    "GRyZXNzIjogIjEyMyBNYWluIFN0IiwgImxvY2FsaXR5IjogIkFueXRvd24iLCAicmVnaW9uIjogIkFueXN0YXRlIiwgImNvd"
    "W50cnkiOiAiVVMifV0~WyJQYzMzSk0yTGNoY1VfbEhnZ3ZfdWZRIiwgImJpcnRoZGF0ZSIsICIxOTQwLTAxLTAxIl0~WyJHM"
    "DJOU3JRZmpGWFE3SW8wOXN5YWpBIiwgInVwZGF0ZWRfYXQiLCAxNTcwMDAwMDAwXQ~WyJsa2x4RjVqTVlsR1RQVW92TU5Jdk"
    "NBIiwgIlVTIl0~WyJuUHVvUW5rUkZxM0JJZUFtN0FuWEZBIiwgIkRFIl0~"
)
RFC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
    "y": "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8",
}
RFC_CLAIMS = {
    "sub": "user_42",
    "given_name": "John",
    "family_name": "Doe",
    "email": "johndoe@example.com",
    "phone_number": "+1-202-555-0101",
    "phone_number_verified": True,
    "address": {"street_address": "123 Main St", "locality": "Anytown", "region": "Anystate", "country": "US"},
    "birthdate": "1940-01-01",
    "updated_at": 1570000000,
    "nationalities": ["US", "DE"],
}


def jwk(key: ec.EllipticCurvePrivateKey) -> JWK:
    return JWK.from_pem(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def opened(text: str, typ: str = TYP) -> dict[str, Any]:
    found = sd_jwt.parse(text, typ)
    return sd_jwt.reveal(found.token.payload, found.disclosures)


def test_example_of_the_rfc() -> None:
    """The main example of RFC 9901 verifies under its key and opens to the claims it was made of."""
    found = sd_jwt.parse(RFC_SD_JWT, "example+sd-jwt")
    jose.check(found.token, jose.public_key(RFC_KEY))
    claims = sd_jwt.reveal(found.token.payload, found.disclosures)
    assert {name: claims[name] for name in RFC_CLAIMS} == RFC_CLAIMS
    assert found.binding is None


@pytest.mark.parametrize(
    ("disclosure", "digest"),
    [
        (
            "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0",
            "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0",
        ),
        ("WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0", "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs"),
    ],
)
def test_digests_of_the_rfc(disclosure: str, digest: str) -> None:
    """Digests of disclosures as RFC 9901, 4.2.3 and 4.2.4.2 compute them."""
    assert sd_jwt.digest_of(disclosure) == digest


def test_what_we_issue_another_library_opens_and_presents() -> None:
    """The reference implementation presents our licence, verifies it with its key binding, and so do we."""
    wallet = issued()
    holder = SDJWTHolder(sd_jwt.compose(wallet.token, wallet.disclosures))
    chosen = {"age_equal_or_over": {"18": True}, "address": {"region": True}, "full_name": True}
    holder.create_presentation(chosen, NONCE, AUDIENCE, jwk(wallet.key))
    verifier = SDJWTVerifier(holder.sd_jwt_presentation, lambda *_: jwk(setting().key), AUDIENCE, NONCE)
    theirs = verifier.get_verified_payload()
    assert theirs["full_name"] == "测试𬭎㛃"
    assert theirs["age_equal_or_over"] == {"18": True}
    assert set(theirs["address"]) == {"region"}
    assert opened(holder.sd_jwt_presentation) == theirs


def test_what_another_library_issues_we_open() -> None:
    """An SD-JWT of the reference implementation, with decoys, array elements and nested claims, opens here alike."""
    issuer, holder_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    claims = {
        "iat": 1,
        SDObj("full_name"): "测试𬭎㛃",
        SDObj("address"): {SDObj("region"): "内蒙古", "country": "CN"},
        "classes": [SDObj("C1"), SDObj("D"), "E"],
    }
    made = SDJWTIssuer(
        claims, jwk(issuer), jwk(holder_key), add_decoy_claims=True, extra_header_parameters={"typ": TYP}
    )
    presented = SDJWTHolder(made.sd_jwt_issuance)
    presented.create_presentation(
        {"address": {"region": True}, "classes": [False, True]}, NONCE, AUDIENCE, jwk(holder_key)
    )
    found = sd_jwt.parse(presented.sd_jwt_presentation, TYP)
    jose.check(found.token, issuer.public_key())
    shown = sd_jwt.reveal(found.token.payload, found.disclosures)
    cnf = shown.pop("cnf")
    assert shown == {"iat": 1, "address": {"region": "内蒙古", "country": "CN"}, "classes": ["D", "E"]}
    # The library stamps the binding with the clock of the machine.
    assert found.binding is not None
    now_us = found.binding.payload["iat"] * 1_000_000
    key_binding.check_binding(found, cnf, Expected(AUDIENCE, NONCE, 300, now_us))


LEAVES = st.text(max_size=12) | st.booleans() | st.none() | st.integers(-(2**53) + 1, 2**53 - 1)
NAMES = st.text(min_size=1, max_size=6).filter(lambda name: name not in {"_sd", "...", "_sd_alg", *sd_jwt.ALWAYS_OPEN})
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner | inner.map(Hidden), max_size=3)
        | st.dictionaries(NAMES, inner | inner.map(Hidden), max_size=3)
        | st.builds(Padded, st.dictionaries(NAMES, inner | inner.map(Hidden), max_size=2), st.integers(0, 4))
    ),
    max_leaves=8,
)


def bare(value: Any) -> Any:
    """The value as a reader sees it when everything is disclosed."""
    if isinstance(value, Hidden):
        return bare(value.value)
    if isinstance(value, Padded):
        value = value.members
    if isinstance(value, dict):
        return {name: bare(member) for name, member in value.items()}
    return [bare(element) for element in value] if isinstance(value, list) else value


@given(st.dictionaries(NAMES, TREES | TREES.map(Hidden), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_concealed_claims_open_to_what_they_were(claims: dict[str, Any], random: Any) -> None:
    """Whatever is hidden at whatever depth: all disclosures give it back, in any order; with none nothing hidden shows."""
    payload, disclosures = sd_jwt.conceal(Padded(claims, 3), os.urandom)
    payload, shuffled = jose.read_json(jose.json_bytes(payload)), list(disclosures)
    random.shuffle(shuffled)
    assert sd_jwt.reveal(payload, shuffled) == bare(claims)
    seen = sd_jwt.reveal(payload, ())
    assert not {name for name, value in claims.items() if isinstance(value, Hidden)} & set(seen)


@given(st.text(alphabet="eyJhbGciOi._~-Aw=", max_size=80) | st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_reader_knows_only_its_errors(text: str) -> None:
    """Whatever arrives, the reader answers with its typed error and nothing else."""
    with pytest.raises(TokenMalformedError):
        sd_jwt.parse(text, TYP)


JSON_VALUES = st.recursive(
    LEAVES | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "cnf"]), JSON_VALUES, max_size=4), JSON_VALUES)
@settings(max_examples=300, deadline=None)
def test_odd_payloads_open_or_are_refused(payload: dict[str, Any], value: Any) -> None:
    """Payloads with digests and reserved names in odd places are refused with the typed error, or hold none after."""
    disclosure = jose.encode(json.dumps(["salt", "c", value]).encode())
    try:
        payload = {**payload, "_sd": [sd_jwt.digest_of(disclosure)], **payload}
        key = ec.generate_private_key(ec.SECP256R1())
        claims = opened(f"{jose.sign({'typ': TYP}, payload, key)}~{disclosure}~")
    except EsignError:
        return
    assert not any(f'"{name}":' in json.dumps(claims) for name in ("_sd", "...", "_sd_alg"))


def smuggled(**members: Any) -> str:
    return jose.sign({"typ": TYP}, {"iat": 1, **members}, ec.generate_private_key(ec.SECP256R1()))


def disclosed(*parts: Any) -> str:
    return jose.encode(jose.json_bytes(list(parts)))


ONE = disclosed("salt", "a", 1)
TWO = disclosed("salt2", "a", 2)
ELEMENT = disclosed("salt", 1)
NESTED = disclosed("salt", "b", {"_sd": [sd_jwt.digest_of(ONE)]})


@pytest.mark.parametrize(
    ("members", "disclosures", "reason"),
    [
        ({"_sd": [sd_jwt.digest_of(ONE)] * 2}, [], "DIGEST_TWICE"),
        ({"_sd": [sd_jwt.digest_of(ONE)], "b": {"_sd": [sd_jwt.digest_of(ONE)]}}, [ONE], "DIGEST_TWICE"),
        ({"_sd": [sd_jwt.digest_of(ONE), sd_jwt.digest_of(NESTED)]}, [ONE, NESTED], "DIGEST_TWICE"),
        ({"_sd": [sd_jwt.digest_of(ONE)]}, [ONE, ONE], "DISCLOSURE_TWICE"),
        ({"_sd": [sd_jwt.digest_of(ONE)]}, [TWO], "DISCLOSURE_UNSIGNED"),
        ({}, [ONE], "DISCLOSURE_UNSIGNED"),
        ({"_sd": [sd_jwt.digest_of(ONE), sd_jwt.digest_of(TWO)]}, [ONE, TWO], "CLAIM_TWICE"),
        ({"_sd": [sd_jwt.digest_of(ONE)], "a": 0}, [ONE], "CLAIM_TWICE"),
        ({"_sd": [sd_jwt.digest_of(ELEMENT)]}, [ELEMENT], "DISCLOSURE"),
        ({"l": [{"...": sd_jwt.digest_of(ONE)}]}, [ONE], "DISCLOSURE"),
        ({"l": [{"...": sd_jwt.digest_of(ELEMENT), "x": 1}]}, [ELEMENT], "RESERVED_NAME"),
        ({"o": {"...": sd_jwt.digest_of(ELEMENT)}}, [], "RESERVED_NAME"),
        ({"o": {"_sd_alg": "sha-256"}}, [], "RESERVED_NAME"),
        ({"_sd": "x"}, [], "DIGESTS"),
        ({"_sd": []}, [], "DIGESTS"),
        ({"_sd": [1]}, [], "DIGESTS"),
        ({"_sd": ["short"]}, [], "DIGESTS"),
        ({"l": [{"...": 5}]}, [], "DIGESTS"),
        ({"_sd_alg": "sha-512"}, [], "SD_ALG"),
        ({}, [disclosed("s", "_sd", 1)], "DISCLOSURE_NAME"),
        ({}, [disclosed("s", "...", 1)], "DISCLOSURE_NAME"),
        ({}, [disclosed(1, "a", 1)], "DISCLOSURE"),
        ({}, [disclosed("s", 1, 1)], "DISCLOSURE_NAME"),
        ({}, [disclosed("s")], "DISCLOSURE"),
        ({}, [disclosed("s", "a", 1, 1)], "DISCLOSURE"),
        ({}, [jose.encode(b'{"a":1}')], "DISCLOSURE"),
        ({}, [jose.encode(b'["s","a",{"x":1,"x":2}]')], "JSON_DUPLICATE"),
        ({}, [jose.encode(b'["s","a",1.5]')], "JSON_NUMBER"),
        ({}, [jose.encode(b'["s","a",NaN]')], "JSON_NUMBER"),
        ({}, [jose.encode(b'["s","a",123456789012345678901234567890]')], "JSON_NUMBER"),
        ({}, [jose.encode(b'["s","a",' + b"[" * 20 + b"]" * 20 + b"]")], "JSON_DEPTH"),
        ({}, [jose.encode(b'["s","a","\\ud800"]')], "JSON"),
        ({}, [jose.encode(b'["s","a",' + b"[" * 5000)], "JSON"),
        ({}, [""], "DISCLOSURE"),
        ({}, [ONE + "="], "BASE64"),
        ({}, ["a" * 9000], "DISCLOSURE"),
        ({}, [disclosed("s", str(n), 1) for n in range(129)], "DISCLOSURES"),
        ({"big": "x" * 70_000}, [], "SIZE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_smuggling_is_refused(members: dict[str, Any], disclosures: list[str], reason: str) -> None:
    """What RFC 9901, 7.1 demands to be refused, and what two readers might read differently."""
    with pytest.raises(TokenMalformedError) as refused:
        opened("~".join((smuggled(**members), *disclosures, "")))
    assert refused.value.reason == reason


def test_disclosures_within_disclosures_have_an_end() -> None:
    """A chain of disclosures, each hiding the next, is refused before it can exhaust the stack."""
    inner = disclosed("s", "a", 1)
    chain = [inner]
    for level in range(100):
        chain.append(disclosed(f"s{level}", "a", {"b": [{"_sd": [sd_jwt.digest_of(chain[-1])]}]}))
    with pytest.raises(TokenMalformedError) as refused:
        opened("~".join((smuggled(_sd=[sd_jwt.digest_of(chain[-1])]), *chain, "")))
    assert refused.value.reason == "JSON_DEPTH"


def test_every_salt_is_new_and_decoys_look_alike() -> None:
    """Salts have 128 bits and occur once; the number of digests is the same however many claims there are."""
    payload, disclosures = sd_jwt.conceal(Padded({"a": Hidden(1), "b": Hidden([Hidden(1)] * 9)}, 8), os.urandom)
    salts = [json.loads(jose.decode(d.text))[0] for d in disclosures]
    assert len(set(salts)) == len(salts) == 11
    assert all(len(jose.decode(salt)) == 16 for salt in salts)
    assert len(payload["_sd"]) == 8
    assert payload["_sd"] == sorted(payload["_sd"])


def test_proof_of_the_key() -> None:
    """Before a licence is bound to a key its holder proves that he has it, for this hub and this nonce."""
    wallet, expected = Wallet(), Expected("https://hub.example", NONCE, 300, NOW_US)
    proof = key_binding.possession(wallet.proof(expected.audience, NONCE, NOW_US))
    proof.check(expected)
    assert jose.thumbprint(proof.key) == jose.thumbprint(wallet.key.public_key())
    other = Wallet()
    stolen = jose.sign({"typ": key_binding.PROOF_TYP, "jwk": wallet.jwk}, {"aud": expected.audience}, other.key)
    private = {**wallet.jwk, "d": "AA"}
    for wrong in (
        wallet.proof("https://other.example", NONCE, NOW_US),
        wallet.proof(expected.audience, "other", NOW_US),
        wallet.proof(expected.audience, NONCE, NOW_US - 301_000_000),
        stolen,
        jose.sign({"typ": "kb+jwt", "jwk": wallet.jwk}, {}, wallet.key),
        jose.sign({"typ": key_binding.PROOF_TYP, "jwk": private}, {}, wallet.key),
        jose.sign({"typ": key_binding.PROOF_TYP, "jwk": {**wallet.jwk, "x": wallet.jwk["y"]}}, {}, wallet.key),
        jose.sign({"typ": key_binding.PROOF_TYP, "x5c": ["AA"]}, {}, wallet.key),
        "A" * 5000,
    ):
        with pytest.raises(EsignError):
            key_binding.possession(wrong).check(expected)


@pytest.mark.parametrize("made", [NOW_US / 1e6 - 0.75, float(NOW_US // 1_000_000), 1.79e9])
def test_a_proof_of_a_usual_wallet(made: float) -> None:
    """Instants with a fraction (RFC 7519, 2) and parameters of the header that the protocol lets a wallet add."""
    wallet = Wallet()
    header = {"typ": key_binding.PROOF_TYP, "jwk": wallet.jwk, "key_attestation": "a.b.c", "trust_chain": ["a.b.c"]}
    claims = {"aud": "https://hub.example", "nonce": NONCE, "iat": made, "exp": made + 300.5}
    proof = key_binding.possession(jose.sign(header, claims, wallet.key))
    proof.check(Expected("https://hub.example", NONCE, 300, int(made * 1e6) + 1_000_000))
    for fraction in ({"age": 18.5}, {"a": [{"iat": 1.5}]}):
        with pytest.raises(EsignError) as caught:
            jose.parse(jose.sign(header, {**claims, **fraction}, wallet.key), key_binding.PROOF_TYP)
        assert caught.value.reason == "JSON_NUMBER"


def test_nonce_of_ours() -> None:
    """A nonce says until when it holds; one that was touched, or given out elsewhere, is unknown."""
    nonce = key_binding.new_nonce(b"k" * 32, NOW_US, b"r" * 16)
    assert key_binding.nonce_expiry(b"k" * 32, nonce, NOW_US) == NOW_US
    for key, text, now_us, reason in (
        (b"k" * 32, nonce, NOW_US + 1, "NONCE_EXPIRED"),
        (b"j" * 32, nonce, NOW_US, "NONCE_UNKNOWN"),
        (b"k" * 32, "B" + nonce[1:], NOW_US, "NONCE_UNKNOWN"),
        (b"k" * 32, "", NOW_US, "NONCE_UNKNOWN"),
        (b"k" * 32, "☃", NOW_US, "NONCE_UNKNOWN"),
    ):
        with pytest.raises(EsignError) as refused:
            key_binding.nonce_expiry(key, text, now_us)
        assert refused.value.reason == reason


def test_thumbprint() -> None:
    """The thumbprint is that of RFC 7638, as an independent library computes it."""
    key = setting().key
    assert jose.thumbprint(key.public_key()) == jwk(key).thumbprint()
