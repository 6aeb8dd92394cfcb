"""Timestamp requests, tokens and refusals, judged by OpenSSL, rfc3161-client and our own reader."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.esign.certification.domain import pki
from services.esign.domain import der
from services.esign.domain.cms import signed_data as cms
from services.esign.timestamps.clock_guard import ClockGuard, NtpReference
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.reader import TimestampInvalidError, check_token
from services.esign.timestamps.domain.token import Failure
from services.esign.timestamps.sources import Authority
from shuniu.kit.testing import ManualClock
from tests.support.esign import NOW_US, setting
from tests.support.ntp import ntp_server
from tests.support.timestamps import POLICY, authority, signer, tsa

MESSAGE = b"what was signed"


def refusal(answer: bytes) -> int:
    """The failInfo bit of a refusal; -1 when a token was granted."""
    status = der.parse(answer).children()[0].children()
    if status[0].integer() == 0:
        return -1
    bits = status[2].body
    return (len(bits) - 2) * 8 + 7 - bits[0]


def asked(*fields: bytes, digest: bytes | None = None) -> bytes:
    imprint = timestamp.imprint(digest or sha256(MESSAGE).digest())
    return der.tlv(der.SEQUENCE, der.integer(1), imprint, *fields)


def openssl(*command: str) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is absent: make test-deps")
    done = subprocess.run(("openssl", *command), capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_openssl_ts_accepts_what_it_asked_for(digest, tmp_path):
    """`openssl ts` makes the query, and verifies the answer over data, query and root."""
    data, query, reply, root = (str(tmp_path / name) for name in ("data", "query", "reply", "root.pem"))
    (tmp_path / "data").write_bytes(MESSAGE)
    (tmp_path / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    openssl("ts", "-query", "-data", data, f"-{digest}", "-cert", "-tspolicy", POLICY, "-out", query)
    (tmp_path / "reply").write_bytes(authority().answer((tmp_path / "query").read_bytes()))
    at = ("-attime", str(NOW_US // 1_000_000))
    assert "Verification: OK" in openssl("ts", "-verify", "-queryfile", query, "-in", reply, "-CAfile", root, *at)
    assert "Verification: OK" in openssl("ts", "-verify", "-data", data, "-in", reply, "-CAfile", root, *at)
    text = openssl("ts", "-reply", "-in", reply, "-text")
    assert "Status: Granted." in text
    assert "Accuracy: 0x01 seconds" in text
    (tmp_path / "data").write_bytes(MESSAGE + b"!")
    assert "Verification: FAILED" in openssl("ts", "-verify", "-data", data, "-in", reply, "-CAfile", root, *at)


@pytest.mark.parametrize("algorithm", [rfc3161_client.HashAlgorithm.SHA256, rfc3161_client.HashAlgorithm.SHA512])
def test_a_strict_client_accepts_the_answer(algorithm):
    """rfc3161-client: nonce, policy, critical EKU and the DER order of the certificates."""
    request = (
        rfc3161_client.TimestampRequestBuilder()
        .data(MESSAGE)
        .hash_algorithm(algorithm)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    answer = rfc3161_client.decode_timestamp_response(authority().answer(request.as_bytes()))
    verifier = (
        rfc3161_client.VerifierBuilder.from_request(request).add_root_certificate(setting().root.certificate).build()
    )
    assert verifier.verify_message(answer, MESSAGE)
    assert answer.tst_info.policy.dotted_string == POLICY
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify_message(answer, MESSAGE + b"!")


def test_a_token_without_certificates_when_none_were_asked_for():
    """certReq FALSE: the token holds no certificate (RFC 3161, 2.4.1)."""
    with_them = authority().answer(asked(b"\x01\x01\xff"))
    without = authority().answer(asked())
    assert tsa().der in with_them
    assert tsa().der not in without
    assert refusal(without) == -1


@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        (b"", Failure.BAD_DATA_FORMAT),
        (b"\x30\x80\x00\x00", Failure.BAD_DATA_FORMAT),
        (asked() + b"\x00", Failure.BAD_DATA_FORMAT),
        (asked(digest=bytes(31)), Failure.BAD_DATA_FORMAT),
        (asked().replace(b"\x02\x01\x01", b"\x02\x01\x02", 1), Failure.BAD_REQUEST),
        (asked(b"\x01\x01\x00"), Failure.BAD_REQUEST),
        (asked(b"\x01\x01\xff", der.integer(7)), Failure.BAD_REQUEST),
        (asked(der.integer(1 << 300)), Failure.BAD_REQUEST),
        (bytes(5000), Failure.BAD_REQUEST),
        (asked(der.tlv(0xA0, b"")), Failure.UNACCEPTED_EXTENSION),
        (asked(der.oid("1.2.3.4")), Failure.UNACCEPTED_POLICY),
        (
            der.tlv(
                der.SEQUENCE,
                der.integer(1),
                der.tlv(
                    der.SEQUENCE,
                    der.tlv(der.SEQUENCE, der.oid("1.3.14.3.2.26"), b"\x05\x00"),
                    der.tlv(der.OCTET_STRING, bytes(20)),
                ),
            ),
            Failure.BAD_ALG,
        ),
    ],
)
def test_a_request_that_is_not_right_is_answered_with_why(request_, failure):
    """A refusal is a TimeStampResp with status rejection and the failure's bit."""
    answer = authority().answer(request_)
    assert refusal(answer) == failure
    assert der.parse(answer).children()[0].children()[0].integer() == 2


def test_every_token_has_its_own_serial_number_and_the_length_foreseen():
    """No two tokens share a number, also of two processes with one key; none is longer than was foreseen."""
    one, two = authority(), Authority(signer(), ClockGuard(ManualClock(NOW_US), passed_us=lambda: 0))
    tokens = [a.token(sha256(MESSAGE).digest()) for a in (one, two) for _ in range(20)]
    checked = [check_token(t, (MESSAGE,), (setting().root.certificate,), NOW_US) for t in tokens]
    assert len({c.serial for c in checked}) == 40
    assert all(len(t) <= one.max_size() for t in tokens)
    assert max(map(len, tokens)) >= one.max_size() - 2


def test_a_clock_that_was_stepped_stamps_nothing_until_it_is_right_again():
    """More than a second between the wall clock and the time that really passed: timeNotAvailable."""
    clock, passed = ManualClock(NOW_US), [0]
    guard = ClockGuard(clock, passed_us=lambda: passed[0])
    stamping = Authority(signer(), guard)
    clock.advance(3600)
    passed[0] += 3600 * 1_000_000 + 900_000
    assert refusal(stamping.answer(asked())) == -1
    clock.advance(-120)
    assert refusal(stamping.answer(asked())) == Failure.TIME_NOT_AVAILABLE
    clock.advance(121)
    assert refusal(stamping.answer(asked())) == -1


def test_an_authority_whose_certificate_has_ended_stamps_nothing():
    """A token that nobody could accept is not made: systemFailure."""
    clock = ManualClock(NOW_US + 7 * 365 * 86_400 * 1_000_000)
    ended = Authority(signer(), ClockGuard(clock, passed_us=lambda: 0))
    assert refusal(ended.answer(asked())) == Failure.SYSTEM_FAILURE


async def test_a_reference_that_disagrees_or_stays_away_stops_the_stamping():
    """With a reference: nothing before it agreed, nothing once it disagrees, nothing after an hour without it."""

    class Reference:
        offset: int | None = None

        async def offset_us(self) -> int:
            if self.offset is None:
                raise ConnectionRefusedError
            return self.offset

    clock, passed, reference = ManualClock(NOW_US), [0], Reference()
    guard = ClockGuard(clock, reference, passed_us=lambda: passed[0])

    def go(seconds: int) -> None:
        clock.advance(seconds)
        passed[0] += seconds * 1_000_000

    await guard.compare()
    assert guard.now_us() is None
    reference.offset = -400_000
    await guard.compare()
    assert guard.now_us() == NOW_US
    reference.offset = 1_200_000
    await guard.compare()
    assert guard.now_us() is None
    reference.offset = 0
    await guard.compare()
    reference.offset = None
    go(3500)
    await guard.compare()
    assert guard.now_us() is not None
    go(200)
    assert guard.now_us() is None


def token() -> bytes:
    return authority().token(sha256(MESSAGE).digest())


def test_the_reader_accepts_our_token_and_says_when():
    """Time, accuracy and path of a good token."""
    found = check_token(token(), (MESSAGE[:4], MESSAGE[4:]), (setting().root.certificate,), NOW_US)
    assert found.time_us == NOW_US
    assert found.accuracy_us == 1_000_000
    assert found.path[-1] == setting().root.certificate


def test_no_flipped_byte_of_a_token_passes():
    """Every byte of a token matters: none can be changed unnoticed."""
    good, roots = token(), (setting().root.certificate,)
    for at in range(0, len(good), 3):
        bad = bytearray(good)
        bad[at] ^= 0x04
        with pytest.raises(TimestampInvalidError):
            check_token(bytes(bad), (MESSAGE,), roots, NOW_US)


def test_the_reader_refuses_what_proves_nothing():
    """Other bytes, an unknown root, a time to come, a certificate for other uses: each with its reason."""
    root = (setting().root.certificate,)

    def reason(token_: bytes, message: bytes = MESSAGE, roots=root, now_us: int = NOW_US) -> tuple[str, bool]:
        with pytest.raises(TimestampInvalidError) as refused:
            check_token(token_, (message,), roots, now_us)
        return refused.value.reason, refused.value.unknown

    assert reason(token(), b"else") == ("TIMESTAMP_OF_ANOTHER", False)
    assert reason(token(), roots=()) == ("TSA_NOT_TRUSTED", True)
    assert reason(token(), now_us=NOW_US - 400 * 1_000_000) == ("TIMESTAMP_IN_FUTURE", True)
    # A seal's certificate must not stamp.
    seal = timestamp.TimestampSigner.prepare(
        cms.P256Key(setting().key), setting().certificate, [setting().ca.der], POLICY
    )
    query = timestamp.TimestampQuery(timestamp.imprint(sha256(MESSAGE).digest()), wants_certificates=True)
    assert reason(seal.token(query, 1, NOW_US)) == ("TSA_KEY_USAGE", False)
    years = NOW_US + 7 * 365 * 86_400 * 1_000_000
    late = signer().token(query, 2, years)
    assert reason(late, now_us=years) == ("TSA_OUTSIDE_VALIDITY", False)


def test_an_outside_authority_with_sha512_and_the_older_certificate_reference_is_read(tmp_path):
    """A token that `openssl ts` made by its defaults is judged as well as ours."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "outside")])
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP384R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "outside CA")])

    def builder(subject, public):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(True, 0), True)
        .sign(ca_key, hashes.SHA384())
    )
    leaf = (
        builder(name, key.public_key())
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)
        .sign(ca_key, hashes.SHA384())
    )
    (tmp_path / "key.pem").write_bytes(pki.key_pem(key))
    (tmp_path / "tsa.pem").write_bytes(pki.certificate_pem(leaf))
    (tmp_path / "serial").write_text("01")
    (tmp_path / "data").write_bytes(MESSAGE)
    (tmp_path / "ts.cnf").write_text(
        f"[tsa]\ndefault_tsa=t\n[t]\nserial={tmp_path}/serial\nsigner_cert={tmp_path}/tsa.pem\nsigner_key={tmp_path}/key.pem\n"
        "signer_digest=sha384\ndefault_policy=1.2.3.4.1\ndigests=sha512\naccuracy=millisecs:500\nordering=yes\ntsa_name=yes\n"
    )
    query, reply = str(tmp_path / "query"), str(tmp_path / "reply")
    openssl("ts", "-query", "-data", str(tmp_path / "data"), "-sha512", "-cert", "-out", query)
    said = openssl("ts", "-reply", "-config", str(tmp_path / "ts.cnf"), "-queryfile", query, "-out", reply)
    assert (tmp_path / "reply").exists(), said
    found = check_token(
        timestamp.read_answer((tmp_path / "reply").read_bytes()), (MESSAGE,), (ca,), int(now.timestamp() * 1e6)
    )
    assert found.accuracy_us == 500_000
    assert found.path == (leaf, ca)


async def test_an_ntp_server_says_how_far_the_clock_is_off():
    """The offset is measured; one that is not synchronised, answers another question or is away says nothing."""
    async with ntp_server() as server:
        reference = replace(NtpReference.of(f"127.0.0.1:{server.port}"), seconds=0.5)
        for ahead_us in (0, 2_000_000, -7_000_000):
            server.ahead_us = ahead_us
            assert abs(await reference.offset_us() - ahead_us) < 250_000
        server.stratum = 16
        with pytest.raises(OSError, match="not synchronised"):
            await reference.offset_us()
        server.stratum, server.cookie = 2, False
        with pytest.raises(OSError, match="another question"):
            await reference.offset_us()
    with pytest.raises(OSError):
        await reference.offset_us()
