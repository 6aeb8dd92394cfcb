"""Maps refusals of reveals to the kit's errors."""

from services.identity.persons.domain.reveals import RevealError
from services.identity.service.refusals import answering
from shuniu.kit import errors
from shuniu.kit.errors import HubError


def _reveal(error: RevealError) -> HubError:
    build = errors.denied if error.reason in RevealError.DENIED else errors.precondition
    return build(error.reason, error.en, error.zh)


def person_unknown() -> HubError:
    return errors.not_found("PERSON_UNKNOWN", "There is no such person.", "没有该人员。")


answered = answering({RevealError: _reveal})
"""Turns exceptions of this subject's domain into HubError."""
