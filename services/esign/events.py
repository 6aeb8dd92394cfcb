"""Events of esign: the topics it publishes. It subscribes to none."""

from typing import Final

SEAL_CHANGED: Final = "esign.seal.changed"
"""To the seal's owner: applied for, active, suspended or revoked."""
CERTIFICATE_ISSUED: Final = "esign.certificate.issued"
"""To the issuing agency: the document is sealed and logged."""
CERTIFICATE_REVOKED: Final = "esign.certificate.revoked"
"""To the issuing agency: the document is withdrawn."""

PUBLISHED: Final = (SEAL_CHANGED, CERTIFICATE_ISSUED, CERTIFICATE_REVOKED)
