"""Domain refusals in the hub's vocabulary, in one place."""

from services.esign.domain.errors import (
    CertificateStateError,
    CharacterNotCoveredError,
    DocumentUnfitError,
    EsignError,
    LicenceImpossibleError,
    LicenceStateError,
    LicenceUnfitError,
    QrMalformedError,
    SealStateError,
    TokenMalformedError,
    TokenWrongError,
)
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError

_CODES: dict[type[EsignError], Code] = {
    CharacterNotCoveredError: Code.FAILED_PRECONDITION,
    SealStateError: Code.FAILED_PRECONDITION,
    CertificateStateError: Code.FAILED_PRECONDITION,
    DocumentUnfitError: Code.INVALID_ARGUMENT,
    QrMalformedError: Code.INVALID_ARGUMENT,
    LicenceImpossibleError: Code.FAILED_PRECONDITION,
    LicenceStateError: Code.FAILED_PRECONDITION,
    LicenceUnfitError: Code.INVALID_ARGUMENT,
    TokenMalformedError: Code.INVALID_ARGUMENT,
    TokenWrongError: Code.INVALID_ARGUMENT,
}
_OF_SEALS = {
    "SEAL_NOT_YOURS": Code.NOT_FOUND,
    "SEAL_UNKNOWN": Code.NOT_FOUND,
    "SEAL_EXISTS": Code.ALREADY_EXISTS,
    "SAME_PERSON": Code.PERMISSION_DENIED,
}


def refusal(error: EsignError) -> HubError:
    """The HubError of a domain refusal; one without a place here is the ledger being away."""
    code = _CODES.get(type(error), Code.UNAVAILABLE)
    if isinstance(error, SealStateError):
        code = _OF_SEALS.get(error.reason, code)
    return HubError(code, error.reason, error.en, error.zh, metadata=error.fields)


def certificate_unknown(number: str) -> HubError:
    """The same for a document that is not there and for one that the caller may not know."""
    return errors.not_found(
        "CERTIFICATE_UNKNOWN", "There is no such document for you.", "没有该证明或您无权查看。", number=number[:64]
    )


def seal_unknown(seal_id: str) -> HubError:
    return errors.not_found("SEAL_UNKNOWN", "There is no such seal.", "没有该印章。", seal=seal_id[:64])


def licence_unknown(number: str) -> HubError:
    """The same for a licence that is not there and for one that the caller may not know."""
    return errors.not_found(
        "LICENCE_UNKNOWN", "There is no such licence for you.", "没有该证照或您无权查看。", number=number[:64]
    )
