"""Errors for callers when the database itself fails, whichever database it is."""

from typing import Final

from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError

STORE_FULL: Final = "STORE_FULL"
STORE_UNAVAILABLE: Final = "STORE_UNAVAILABLE"
STORE_REFUSED: Final = "STORE_REFUSED"
STORE_BUSY: Final = "STORE_BUSY"
STORE_SLOW: Final = "STORE_SLOW"

# With these the store takes no writes; a probe finds out when it does again.
UNWRITABLE: Final = {STORE_FULL, STORE_UNAVAILABLE, STORE_REFUSED}


def store_full() -> HubError:
    return errors.exhausted(
        STORE_FULL,
        "The disk of the store is full: nothing was written. Retry later with the same request_id.",
        "存储磁盘已满，本次未写入任何内容。请稍后使用同一 request_id 重试。",
    )


def store_unavailable() -> HubError:
    return errors.unavailable(
        STORE_UNAVAILABLE,
        "The database does not answer. Retry with the same request_id.",
        "数据库暂时没有响应。请使用同一 request_id 重试。",
    )


def store_refused() -> HubError:
    return errors.unavailable(
        STORE_REFUSED,
        "The database refuses the hub's user, password or database name (database_url). When the operator has mended "
        "that, retry with the same request_id.",
        "数据库拒绝了枢纽的用户、口令或库名（database_url）。运维人员改正后，请使用同一 request_id 重试。",
    )


def store_busy() -> HubError:
    return errors.unavailable(
        STORE_BUSY,
        "The store has more work than it can take. Retry with the same request_id after a moment.",
        "存储繁忙。请稍后使用同一 request_id 重试。",
    )


def text_refused() -> HubError:
    """A text that this database cannot hold came with the request: U+0000 on PostgreSQL."""
    return HubError(
        Code.INVALID_ARGUMENT,
        "TEXT_CHARACTER",
        "The request holds a character that no text may hold (U+0000); remove it.",
        "请求中含有不允许的字符（U+0000），请删除后重试。",
    )


def store_slow() -> HubError:
    return HubError(
        Code.DEADLINE_EXCEEDED,
        STORE_SLOW,
        "The store did not finish in time. Retry with the same request_id, or ask for less.",
        "存储未能在时限内完成。请使用同一 request_id 重试，或缩小请求范围。",
    )
