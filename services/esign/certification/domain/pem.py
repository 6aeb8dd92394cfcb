"""Bundles of certificates in PEM: joined and read here, whatever files they come from."""

from cryptography import x509


def joined(*parts: bytes) -> bytes:
    """One bundle of several, which may be empty. Each begins on a line of its own: a file may lack its last line end,
    and a mark in the middle of a line begins no certificate.
    """
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts if part.strip())


def certificates(bundle: bytes) -> tuple[x509.Certificate, ...]:
    """All of a bundle; none of an empty one. Raises ValueError."""
    return tuple(x509.load_pem_x509_certificates(bundle)) if bundle else ()
