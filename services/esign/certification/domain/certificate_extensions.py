"""Reads what a certificate's extensions say of its key, read from the bytes (RFC 5280, 4.2.1)."""

from dataclasses import dataclass
from functools import lru_cache

from cryptography.x509.oid import ExtensionOID

from services.esign.domain import der
from services.esign.domain.der import Node

_NAMES = ExtensionOID.NAME_CONSTRAINTS.dotted_string
_BASIC, _USAGE, _USES = ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE
# KeyUsage: bits 0, 1, 5 and 6 of 16.
_DIGITAL_SIGNATURE, _COMMITMENT, _CERTIFIES, _LISTS = 0x8000, 0x4000, 0x0400, 0x0200


@dataclass(frozen=True, slots=True)
class Profile:
    """The uses that a certificate's extensions allow it (RFC 5280, 4.2.1). `usage`: the bits of KeyUsage, the first the
    highest of 16; None: any. `uses`: OIDs of ExtendedKeyUsage; None: any. `is_authority` None: no word of it.
    """

    critical: frozenset[str]
    usage: int | None = None
    uses: frozenset[str] | None = None
    is_authority: bool | None = None
    path_length: int | None = None
    constrains_names: bool = False

    @property
    def signs(self) -> bool:
        return self.usage is None or bool(self.usage & (_DIGITAL_SIGNATURE | _COMMITMENT))

    @property
    def commits(self) -> bool:
        """contentCommitment, called nonRepudiation before."""
        return self.usage is not None and bool(self.usage & _COMMITMENT)

    @property
    def lists(self) -> bool:
        """Tells whether it may sign lists of revoked certificates."""
        return self.usage is None or bool(self.usage & _LISTS)

    @property
    def certifies(self) -> bool:
        return self.usage is None or bool(self.usage & _CERTIFIES)


def read(body: bytes) -> Profile:
    """`body`: a TBSCertificate (DER). Raises DerError, ValueError, IndexError."""
    holder = next((field for field in der.parse(body).children() if field.tag == 0xA3), None)
    listed = holder.children()[0].children() if holder is not None else []
    values: dict[str, Node] = {}
    critical: set[str] = set()
    for extension in listed:
        kind, *middle, value = extension.expect(der.SEQUENCE).children()
        oid = _dotted(kind)
        if oid in values:
            raise ValueError("an extension is repeated")
        values[oid] = value
        # BOOLEAN is TRUE when it is not zero (X.690, 8.2).
        if middle and any(middle[0].body):
            critical.add(oid)
    inner = {oid: value.expect(der.OCTET_STRING).body for oid, value in values.items()}
    usage, uses, basic = (inner.get(kind.dotted_string) for kind in (_USAGE, _USES, _BASIC))
    is_authority, path_length = (None, None) if basic is None else _basic(basic)
    return Profile(
        frozenset(critical),
        None if usage is None else int.from_bytes(der.parse(usage).expect(der.BIT_STRING).body[1:3].ljust(2, b"\0")),
        None if uses is None else frozenset(_dotted(each) for each in der.parse(uses).expect(der.SEQUENCE).children()),
        is_authority,
        path_length,
        _NAMES in inner,
    )


def _basic(value: bytes) -> tuple[bool, int | None]:
    is_authority, path_length = False, None
    for part in der.parse(value).expect(der.SEQUENCE).children():
        if part.tag == der.INTEGER:
            path_length = part.integer()
        else:
            is_authority = any(part.body)
    return is_authority, path_length


@lru_cache(maxsize=1024)
def _dotted_of(raw: bytes) -> str:
    content = der.parse(raw).expect(der.OBJECT_IDENTIFIER).body
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(each) for each in (first, arcs[0] - first * 40, *arcs[1:]))


def _dotted(node: Node) -> str:
    return _dotted_of(node.raw)
