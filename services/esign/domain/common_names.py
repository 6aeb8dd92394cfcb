"""Names of the holders and issuers of certificates."""

from cryptography import x509


def common_name(name: x509.Name) -> str | None:
    """The common name; None without one."""
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else None


def called(name: x509.Name) -> str:
    """The common name, else all of the name (RFC 4514)."""
    common = common_name(name)
    return name.rfc4514_string() if common is None else common
