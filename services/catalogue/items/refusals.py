"""Maps refusals of items to the kit's errors."""

from services.catalogue.items.domain.rules import ItemError
from services.catalogue.items.messages import wire_field
from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.rules import RuleError, Violation


def refusal(error: RuleError, *, inside: str = "item") -> HubError:
    """A domain refusal as a caller sees it. `inside` is "item" where the request holds an item, else ""."""
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


def unknown() -> HubError:
    return errors.not_found(
        "ITEM_UNKNOWN", "No item that you may see has this id or code.", "没有您可查看的该标识或编码的事项。"
    )
