"""Refusals of the vault, as the kit's errors."""

from shuniu.kit import errors
from shuniu.kit.errors import HubError


def person_unknown() -> HubError:
    return errors.not_found("PERSON_UNKNOWN", "The vault does not know this person.", "没有该人员的记录。")


def quota_spent(receiver: str, purpose: str) -> HubError:
    return errors.exhausted(
        "VAULT_QUOTA",
        "Today's quota for this receiver and purpose is used up; ask the hub's operator.",
        "该接收方和用途今日的额度已用完，请联系枢纽管理员。",
        receiver=receiver,
        purpose=purpose,
    )


def receiver_key_invalid() -> HubError:
    return errors.invalid_field(
        "receiver_jwk",
        "RECEIVER_KEY_INVALID",
        "Give a public P-256 JWK with a kid.",
        "请提供带 kid 的 P-256 公钥 JWK。",
    )
