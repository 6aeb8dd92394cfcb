"""The sentence on a document that is too large. The pages and the edge share it."""


def sentences(limit: int) -> tuple[str, str]:
    """English and Chinese. `limit`: bytes of the largest document that is verified."""
    mebibytes = limit // (1024 * 1024)
    en = (
        f"The document is larger than {mebibytes} MiB and was not verified; ask the issuer for a smaller one (making "
        "it smaller yourself destroys its signature), or use its QR code or number."
    )
    zh = (
        f"文件超过 {mebibytes} MiB，没有核验；请向出具单位索取较小的版本（自行压缩会使签章失效），"
        "或扫描二维码、按编号核验。"
    )
    return en, zh
