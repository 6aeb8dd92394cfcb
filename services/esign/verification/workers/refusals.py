"""Errors for a sender whose document is not read."""

from shuniu.kit import errors
from shuniu.kit.errors import HubError


def away() -> HubError:
    """UNAVAILABLE VERIFY_AWAY: no verdict for reasons of this machine or of the register, not of the document."""
    return errors.unavailable(
        "VERIFY_AWAY",
        "Documents cannot be read at the moment; nothing was found wrong with this one. Send it again in a minute.",
        "核验程序暂时不可用，并未发现该文件有问题，请一分钟后重新提交。",
    )
