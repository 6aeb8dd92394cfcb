"""Errors that say why an OFD package cannot be read, or is not what it says."""


class OfdError(ValueError):
    """`reason` UPPER_SNAKE. `unsupported`: lawful, or merely more than is read here; nothing speaks against the
    document.
    """

    def __init__(self, reason: str, zh: str, en: str, *, unsupported: bool = False) -> None:
        super().__init__(en)
        self.reason = reason
        self.zh = zh
        self.en = en
        self.unsupported = unsupported


def beyond_limit(zh: str, en: str) -> OfdError:
    """The document is larger than what is read here; its content was not looked at."""
    return OfdError(
        "LIMIT_REACHED",
        f"文件超出可核验的规模（{zh}），未作判断；请用出具单位提供的阅读软件核验，或联系出具单位",
        f"more than is read here ({en}): not judged; check it with the issuer's own reader, or ask the issuer",
        unsupported=True,
    )
