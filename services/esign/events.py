"""Events of esign: the topics it publishes. It subscribes to none."""

from typing import Final

SEAL_CHANGED: Final = "esign.seal.changed"
"""To the seal's owner: applied for, active, suspended or revoked."""
CERTIFICATE_ISSUED: Final = "esign.certificate.issued"
"""To the issuing agency: the document is sealed and logged."""
CERTIFICATE_REVOKED: Final = "esign.certificate.revoked"
"""To the issuing agency: the document is withdrawn."""
FLOW_BEGUN: Final = "esign.flow.begun"
"""To whom a flow concerns, as all that follow: it is open."""
FLOW_SIGNED: Final = "esign.flow.signed"
"""A step was done; the payload says which can be done now."""
FLOW_REMINDED: Final = "esign.flow.reminded"
"""Steps still wait."""
FLOW_FAILED: Final = "esign.flow.failed"
"""The hub cannot go on at present and tries again by itself."""
FLOW_COMPLETED: Final = "esign.flow.completed"
"""The final document is released and logged."""
FLOW_REJECTED: Final = "esign.flow.rejected"
"""A party refused."""
FLOW_WITHDRAWN: Final = "esign.flow.withdrawn"
"""The platform took it back."""
FLOW_EXPIRED: Final = "esign.flow.expired"
"""Nobody signed in time."""
LICENCE_ISSUED: Final = "esign.licence.issued"
"""To the issuing agency: the licence is made and logged."""
LICENCE_CHANGED: Final = "esign.licence.changed"
"""To the issuing agency: the licence is suspended, in force again or revoked."""

PUBLISHED: Final = (
    SEAL_CHANGED,
    CERTIFICATE_ISSUED,
    CERTIFICATE_REVOKED,
    FLOW_BEGUN,
    FLOW_SIGNED,
    FLOW_REMINDED,
    FLOW_FAILED,
    FLOW_COMPLETED,
    FLOW_REJECTED,
    FLOW_WITHDRAWN,
    FLOW_EXPIRED,
    LICENCE_ISSUED,
    LICENCE_CHANGED,
)
