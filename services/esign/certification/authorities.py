"""The authority that certifies seals: this hub's own development authority, another one over EST (RFC 7030), or an
existing seal system that holds key and certificate already (CSC API v2). All by configuration.

What another authority answers is checked before it is used: the certificate bears the seal's own key, is for signing
documents, valid now, and leads to a root that was configured.
"""

import asyncio
import base64
import binascii
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from services.esign.certification import roots as own_roots
from services.esign.certification.domain import chain, paths, pem, pki
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.pki import Authority
from services.esign.config import EsignSettings
from shuniu.kit import errors
from shuniu.kit.crypto.csc import RemoteSigner
from shuniu.kit.crypto.device import KeyRefusedError, Reference
from shuniu.kit.process import log
from shuniu.kit.process.config import ConfigError, secret_text

# Imported where an outside authority is asked: commands read the keys of a hub and ask none.
if TYPE_CHECKING:
    import httpx

_log = log.get("ca")
_WELL_KNOWN = "/.well-known/est"
# An authority that takes longer is away, s.
_SECONDS = 10.0
_MOST_ANSWER = 256 * 1024
_UPPER_BOUND = 64
ANY_ISSUER = "*"
"""In `licence_issuers`: every platform."""


@dataclass(frozen=True, slots=True)
class CertificateWish:
    """A key to be certified for a seal. `serial` tells holders of one name apart and says nothing about them."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    name: str = field(repr=False)
    serial: str
    now_us: int
    kind: SealKind = SealKind.ORGANISATION
    days: int = pki.SEAL_DAYS
    # Platform whose seal it will be; empty for a person's.
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and what stands above it without the root, nearest first. `above` is empty when this hub's own CA
    issued it, whose certificate everybody here knows.
    """

    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()
    # Where the key lies that it certifies, if that is not the one that was wished for.
    elsewhere: Reference | None = None

    @property
    def ours(self) -> bool:
        """Tells whether this hub answers for its revocation."""
        return not self.above


class CertificateAuthority(Protocol):
    """Certifies seals' keys."""

    async def certify(self, wish: CertificateWish) -> Certified:
        """Raises HubError: UNAVAILABLE when the authority is away, FAILED_PRECONDITION when it refuses."""
        ...


@dataclass(frozen=True, slots=True)
class OwnAuthority:
    """The hub's own seal CA, labelled for development / internal use."""

    seal_ca: Authority = field(repr=False)
    # Where certificates say that their revocation can be asked; empty: nowhere.
    status_url: str = ""
    # Platforms whose organisations' seals may issue licences; ANY_ISSUER: all.
    licence_issuers: tuple[str, ...] = ()

    async def certify(self, wish: CertificateWish) -> Certified:
        may_issue = bool(wish.owner) and not {wish.owner, ANY_ISSUER}.isdisjoint(self.licence_issuers)
        return Certified(
            pki.issue_seal_certificate(
                self.seal_ca,
                wish.key.public_key(),
                wish.name,
                wish.serial,
                wish.now_us,
                status_url=self.status_url,
                kind=wish.kind,
                days=wish.days,
                issues_licences=may_issue,
            )
        )


@dataclass(frozen=True, slots=True)
class EstAuthority:
    """Another authority, asked over EST. `url`: with or without the path of the operations."""

    url: str
    roots: tuple[x509.Certificate, ...]
    client: "httpx.AsyncClient" = field(repr=False)

    async def certify(self, wish: CertificateWish) -> Certified:
        request = x509.CertificateSigningRequestBuilder().subject_name(_subject(wish)).sign(wish.key, hashes.SHA256())
        enrolled = await self._ask("simpleenroll", base64.encodebytes(request.public_bytes(serialization.Encoding.DER)))
        public = wish.key.public_key()
        certificate = next((found for found in enrolled if found.public_key() == public), None)
        if certificate is None:
            raise _unfit("it certified another key")
        return _checked([certificate, *enrolled, *await self._ask("cacerts")], self.roots, wish.now_us)

    async def _ask(self, operation: str, body: bytes | None = None) -> list[x509.Certificate]:
        import httpx

        url = f"{self.url}/{operation}"
        headers = {"content-type": "application/pkcs10", "content-transfer-encoding": "base64"}
        try:
            answer = await (
                self.client.get(url) if body is None else self.client.post(url, content=body, headers=headers)
            )
        except httpx.HTTPError as error:
            raise _away(type(error).__name__) from None
        if answer.status_code in {httpx.codes.ACCEPTED, httpx.codes.SERVICE_UNAVAILABLE} or answer.is_server_error:
            raise _away(f"answered {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            _log.warning("ca_refused", status=answer.status_code, operation=operation)
            raise errors.precondition(
                "CA_REFUSED",
                "The certification authority refuses to certify this seal; ask it why.",
                "电子认证服务机构拒绝为该印章签发证书，请向其查询原因。",
                status=str(answer.status_code),
            )
        try:
            if len(answer.content) > _MOST_ANSWER:
                raise ValueError("too long")
            return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.content))
        except (ValueError, binascii.Error) as error:
            raise _unfit("it answered no certificates") from error


@dataclass(frozen=True, slots=True)
class RemoteSeals:
    """Seals of an existing system: key and certificate are there already. Who has none there goes to `otherwise`."""

    signer: RemoteSigner
    credentials: Mapping[str, str]
    roots: tuple[x509.Certificate, ...]
    otherwise: CertificateAuthority

    async def certify(self, wish: CertificateWish) -> Certified:
        name = self.credentials.get(wish.owner) if wish.owner else None
        if name is None:
            return await self.otherwise.certify(wish)
        try:
            found = await asyncio.to_thread(self.signer.credential, name)
        except KeyRefusedError as error:
            raise _unfit(str(error)) from None
        checked = _checked(found.chain, self.roots, wish.now_us)
        return replace(checked, elsewhere=found.reference)


def _checked(given: Sequence[x509.Certificate], roots: tuple[x509.Certificate, ...], now_us: int) -> Certified:
    """The first of them, if it is for signing documents, valid, and leads to a root over at least one authority."""
    try:
        loaded = [chain.load(one.public_bytes(serialization.Encoding.DER)) for one in given]
        path = paths.build(loaded[0], loaded[1:], roots, paths.check_document_path, moments=(now_us,))
        chain.check_signer(loaded[0])
    except ChainError as error:
        raise _unfit(error.en) from error
    if len(path) < 3:
        raise _unfit("a root that certifies seals itself is not accepted")
    if not chain.valid_at(path, now_us):
        raise _unfit("the certificate is not valid now")
    return Certified(loaded[0], path[1:-1])


def open_authority(
    settings: EsignSettings, seal_ca: Authority
) -> "tuple[CertificateAuthority, httpx.AsyncClient | None]":
    """The authority that settings name, and the client to close. Raises ConfigError."""
    if not settings.ca_url:
        return OwnAuthority(seal_ca, settings.revocation_url.rstrip("/"), settings.licence_issuers), None
    import httpx

    parts = urlsplit(settings.ca_url)
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigError("[esign] ca_url: an https URL is needed (RFC 7030, 3.3)")
    roots = own_roots.read_roots(settings)
    context = ssl.create_default_context(cafile=str(settings.ca_roots))
    login = None
    if settings.ca_login_file.name:
        user, _, password = secret_text(settings.ca_login_file, "[esign] ca_login_file").strip().partition(":")
        login = httpx.BasicAuth(user, password)
    client = httpx.AsyncClient(verify=context, timeout=_SECONDS, auth=login, trust_env=False)
    path = parts.path.rstrip("/") or _WELL_KNOWN
    return EstAuthority(f"https://{parts.netloc}{path}", roots, client), client


def open_signer(settings: EsignSettings) -> RemoteSigner | None:
    """The existing seal system that settings name. It need not answer yet. Raises ConfigError."""
    if not settings.signer_url:
        return None
    import httpx

    if urlsplit(settings.signer_url).scheme != "https" or not settings.signer_roots.name:
        raise ConfigError("[esign] signer_url: an https URL is needed, and signer_roots")
    login = secret_text(settings.signer_login_file, "[esign] signer_login_file").strip()
    own_roots.read("signer_roots", settings.signer_roots)
    context = ssl.create_default_context(cafile=str(settings.signer_roots))
    base = settings.signer_url.rstrip("/") + "/"
    return RemoteSigner(httpx.Client(base_url=base, verify=context, timeout=_SECONDS, trust_env=False), login)


def with_remote_seals(
    settings: EsignSettings, signer: RemoteSigner | None, otherwise: CertificateAuthority
) -> CertificateAuthority:
    """`otherwise`, but for the platforms whose seals an existing system has. Raises ConfigError."""
    if signer is None:
        return otherwise
    roots = own_roots.read("signer_roots", settings.signer_roots)
    return RemoteSeals(signer, settings.signer_credentials, roots, otherwise)


def split_pem(certificates: bytes) -> list[str]:
    """PEM certificates, one each."""
    return [pki.certificate_pem(one).decode("ascii") for one in pem.certificates(certificates)]


def _subject(wish: CertificateWish) -> x509.Name:
    organisation = (
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, wish.name[:_UPPER_BOUND])]
        if wish.kind is SealKind.ORGANISATION
        else []
    )
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            *organisation,
            x509.NameAttribute(NameOID.SERIAL_NUMBER, wish.serial),
            x509.NameAttribute(NameOID.COMMON_NAME, wish.name[:_UPPER_BOUND]),
        ]
    )


def _away(cause: str) -> errors.HubError:
    _log.warning("ca_away", cause=cause)
    return errors.unavailable(
        "CA_AWAY",
        "The certification authority does not answer or is not ready yet; try again.",
        "电子认证服务机构暂未应答，请稍后再试。",
    )


def _unfit(cause: str) -> errors.HubError:
    _log.warning("ca_answer_unfit", cause=cause)
    return errors.precondition(
        "CA_ANSWER_UNFIT",
        "What the certification authority issued cannot be used for this seal.",
        "电子认证服务机构签发的证书不能用于该印章。",
        cause=cause,
    )
