"""The domain's refusals in the kit's vocabulary."""

from services.catalogue.domain.item_rules import ItemError
from services.catalogue.domain.publishing import PublishingError
from services.catalogue.domain.violations import RuleError
from services.catalogue.service.messages import wire_field
from shuniu.kit import errors
from shuniu.kit.errors import HubError, Violation


def refusal(error: RuleError, *, inside: str = "item") -> HubError:
    """A domain refusal as a caller sees it. `inside` is "item" where the request holds an item, else ""."""
    if isinstance(error, PublishingError):
        return _move(error)
    if isinstance(error, ItemError) and error.reason == "ITEM_FIXED":
        fixed = ", ".join(wire_field(each.field) for each in error.violations)
        return errors.precondition("ITEM_FIXED", error.en, error.zh, fields=fixed)
    found = [
        Violation(
            wire_field(each.field) if inside else wire_field(each.field).removeprefix("item."),
            each.reason,
            each.en,
            each.zh,
        )
        for each in error.violations
    ]
    return errors.invalid(found)


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


def unknown() -> HubError:
    return errors.not_found(
        "ITEM_UNKNOWN", "No item that you may see has this id or code.", "没有您可查看的该标识或编码的事项。"
    )


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
