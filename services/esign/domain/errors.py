"""The errors that esign's rules raise. `service/refusals.py` maps them to the shared vocabulary; the reason is stable,
the texts are for people.
"""


class UnprovedError(Exception):
    """A proof that does not hold. `reason` UPPER_SNAKE; `unknown`: nothing speaks against it, but nothing
    vouches for it here.
    """

    def __init__(self, reason: str, zh: str, en: str, *, unknown: bool = False) -> None:
        super().__init__(en)
        self.reason = reason
        self.zh = zh
        self.en = en
        self.unknown = unknown


class EsignError(Exception):
    """A rule of esign refused. `reason` is UPPER_SNAKE; `fields` names the values at fault, never personal data."""

    def __init__(self, reason: str, en: str, zh: str, **fields: str) -> None:
        super().__init__(f"{reason}: {en}")
        self.reason = reason
        self.en = en
        self.zh = zh
        self.fields = fields


class CharacterNotCoveredError(EsignError):
    """The font has no glyph for a character of the document. `fields["characters"]` lists them, `fields["names"]`
    what holds them.
    """


class DocumentUnfitError(EsignError):
    """A document that cannot be laid out or sealed as it is."""


class SealStateError(EsignError):
    """The seal's state does not allow this."""


class ClockDoubtError(EsignError):
    """The hub's clock is behind what was sealed already, or was stepped: nothing is sealed by it."""


class CertificateStateError(EsignError):
    """The certificate's state does not allow this."""


class QrMalformedError(EsignError):
    """The content of a QR code is not one of ours."""


class TokenMalformedError(EsignError):
    """A JWS, SD-JWT, key binding or status list breaks its format."""


class TokenWrongError(EsignError):
    """A signature, digest, nonce or time in a token is wrong."""


class LicenceStateError(EsignError):
    """The licence's state does not allow this."""


class LicenceUnfitError(EsignError):
    """A licence that cannot be issued as asked. `fields` names what is lacking or not expected."""


class LicenceImpossibleError(EsignError):
    """A licence that cannot be issued as things are: by this seal, to this person."""


class NoteMalformedError(EsignError):
    """A signed note, checkpoint, verifier key or receipt breaks its format."""


class NoteUntrustedError(EsignError):
    """No known key signed the note, or a known key's signature is wrong."""


class ProofWrongError(EsignError):
    """A Merkle proof does not lead to the stated root."""


class LedgerDamagedError(EsignError):
    """The ledger on disk contradicts itself or its own signed checkpoints; it must not be continued."""
