"""Maps refusals of publishing to the kit's errors."""

from services.catalogue.items import refusals
from services.catalogue.publishing.domain import PublishingError
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.rules import RuleError


def refusal(error: RuleError) -> HubError:
    """A refusal as the caller sees it."""
    return _move(error) if isinstance(error, PublishingError) else refusals.refusal(error)


def _move(error: PublishingError) -> HubError:
    if error.reason == "ETAG_MISMATCH":
        return errors.conflict("ETAG_MISMATCH", error.en, error.zh)
    if error.reason == "SECOND_PERSON_NEEDED":
        return errors.denied("SAME_PERSON", error.en, error.zh)
    if error.reason == "MOVE_NOT_ALLOWED":
        return errors.precondition("ITEM_STATE", error.en, error.zh)
    if error.reason == "REASON_MISSING":
        return errors.invalid_field("reason", error.reason, error.en, error.zh)
    return errors.invalid_field("item.level", error.reason, error.en, error.zh)


def not_owned() -> HubError:
    return errors.denied(
        "ITEM_NOT_OWNED",
        "The item belongs to another platform; ask its owner to change it.",
        "该事项属于其他平台，请由所属平台修改。",
    )


def code_taken(codes: list[str]) -> HubError:
    return errors.exists(
        "ITEM_CODE_TAKEN",
        "Another item has this code; correct the code or change that item.",
        "编码已被其他事项使用，请更正编码或修改原事项。",
        codes=", ".join(sorted(codes)),
    )
