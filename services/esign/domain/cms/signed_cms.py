"""A signature taken apart: what it is over, who made it, and whether it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from cryptography import x509

from services.esign.domain import der
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.cms.signature_value import HASHES, SHA1, SignatureValue, UnknownAlgorithmError, sm2_key_of
from services.esign.domain.unwarned import unwarned


class CmsError(ValueError):
    """The signature is not one that this reader can vouch for. `unsupported`: lawful, or merely unusual, but beyond
    it.
    """

    def __init__(self, reason: str, detail: str, *, unsupported: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.unsupported = unsupported


class Binding(Enum):
    """The way in which a signature is bound to a document's bytes. DIRECT: they are themselves what is signed. INSIDE:
    their digest is the message that it holds, which may have been signed as something else: a challenge, a letter.
    """

    DIGEST = "DIGEST"
    DIRECT = "DIRECT"
    WEAK = "WEAK"
    INSIDE = "INSIDE"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class SignedCms:
    """A signature taken apart. `signed_attributes` is what was signed (the SET in DER; empty: the content itself is);
    `certificates` are all that came with it, DER. `content` is what the structure holds of it (None: it is detached).
    """

    certificates: tuple[bytes, ...]
    signer: bytes
    digest_algorithm: bytes
    signature_algorithm: bytes
    message_digest: bytes
    signed_attributes: bytes
    signature: bytes
    # Digest algorithm and digest by which the signature names its certificate; None: it does not.
    certificate_reference: tuple[bytes, bytes] | None
    # As it stands outside, where nobody signed it, and in the signed attributes (empty: there are none).
    content_type: bytes = cms.OID_DATA
    signed_content_type: bytes = b""
    content: bytes | None = None
    signing_time_us: int | None = None
    # Signature timestamps (RFC 3161), in the order they stand in.
    timestamp_tokens: tuple[bytes, ...] = ()
    # An unsigned attribute that is not known here; it may be a timestamp of a kind of its own.
    has_unknown_attribute: bool = False
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()

    @property
    def timestamp_token(self) -> bytes | None:
        """The first signature timestamp."""
        return self.timestamp_tokens[0] if self.timestamp_tokens else None

    @property
    def value(self) -> SignatureValue:
        return SignatureValue(self.signature_algorithm, self.digest_algorithm, self.signature)

    @property
    def weak(self) -> bool:
        """Tells whether a digest that the signature relies on no longer holds."""
        return HASHES[self.digest_algorithm].weak or self.value.weak

    def digest(self, *parts: bytes | memoryview) -> bytes:
        """Digest of a document's parts with the signature's algorithm."""
        return HASHES[self.digest_algorithm].of(*parts)

    def binding(self, *parts: bytes | memoryview) -> Binding:
        """Tells how the signature is bound to a document's parts. A content inside is the document itself or its
        digest, as adbe.pkcs7.sha1 has it by SHA-1 and makers of GB/T 35275 structures by SM3.
        """
        # Some makers leave an empty content standing where none should be.
        if self.content is None or (not self.content and self.signed_attributes):
            if not self.signed_attributes:
                return Binding.DIRECT
            return Binding.DIGEST if self.digest(*parts) == self.message_digest else Binding.NONE
        if self.signed_attributes and self.digest(self.content) != self.message_digest:
            return Binding.NONE
        if self.content == self.digest(*parts):
            return Binding.DIGEST if self._says_gm_data() else Binding.INSIDE
        if self.content == HASHES[SHA1].of(*parts):
            return Binding.WEAK
        whole = len(self.content) == sum(map(len, parts)) and self.content == b"".join(parts)
        return Binding.DIGEST if whole else Binding.NONE

    def _says_gm_data(self) -> bool:
        """Tells whether the signature itself says that it is by GB/T 35275. What stands outside it anybody may
        change.
        """
        if {self.content_type, self.signed_content_type} != {cms.OID_GM_DATA}:
            return False
        if HASHES[self.digest_algorithm].name != "SM3":
            return False
        try:
            with unwarned():
                return sm2_key_of(x509.load_der_x509_certificate(self.signer)) is not None
        except ValueError:
            return False

    def names_its_certificate(self) -> bool:
        """Tells whether the signed attributes name a certificate, and it is exactly the signer's."""
        if self.certificate_reference is None:
            return False
        algorithm, value = self.certificate_reference
        return HASHES[algorithm].of(self.signer) == value

    def borne_out(self, binding: Binding, signer: x509.Certificate, *parts: bytes | memoryview) -> Binding | None:
        """Tells how the signature is bound to a document's parts, where `binding` is what it says; None: the signer's
        key did not make the value. A value over their digest as a message binds INSIDE, whatever the key: 32 bytes do
        not say what they are, and nothing else is signed. Raises CmsError for keys and algorithms unknown here.
        """
        if self.signature_holds(signer, *parts):
            return binding
        if binding is Binding.DIRECT and self._made_by(signer, (self.digest(*parts),)):
            return Binding.INSIDE
        return None

    def signature_holds(self, signer: x509.Certificate, *parts: bytes | memoryview) -> bool:
        """Tells whether the signer's key made the signature; `parts` are the document's, looked at when it is they that
        were signed. Raises CmsError for keys and algorithms unknown here.
        """
        return self._made_by(signer, self._messages(parts))

    def _made_by(self, signer: x509.Certificate, messages: Iterable[bytes]) -> bool:
        value = self.value
        try:
            return any(value.made_by(signer, message) for message in messages)
        except UnknownAlgorithmError as cause:
            raise CmsError(cause.reason, str(cause), unsupported=True) from cause

    def _messages(self, parts: Iterable[bytes | memoryview]) -> Iterable[bytes]:
        if not self.signed_attributes:
            message = b"".join(parts) if self.content is None else self.content
            if self.content is None and message[:1] == b"\x31":
                # The attributes of another signature, passed off as a document.
                raise CmsError("CMS_AMBIGUOUS", "a document that reads as signed attributes", unsupported=True)
            yield message
            return
        yield self.signed_attributes
        if self.signed_attributes[0] == der.SET:
            # Sorted, as DER has a SET OF, where they stand in another order: makers sign either.
            in_order = der.set_of(*(each.raw for each in der.parse(self.signed_attributes).children()))
            if in_order != self.signed_attributes:
                yield in_order
