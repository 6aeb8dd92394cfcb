"""SD-JWT (RFC 9901): claims that their holder shows one by one, each behind a salted digest in what the issuer signed.

The reader is strict: it refuses what RFC 9901, 7.1 demands and everything that a lenient reader might read otherwise
(digests that are no digests, `_sd` or `...` where no issuer puts them, spare disclosures, more than its limits).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.domain.errors import TokenMalformedError
from services.esign.licences.domain import jose

# RFC 9901, 9.3: at least 128 bits.
SALT_BYTES = 16
MOST_BYTES = 65_536
MOST_DISCLOSURES = 128
_MOST_DISCLOSURE = 8192
_MOST_DIGESTS = 1024
# Of disclosures within disclosures.
_DEPTH = 32
_DIGESTS, _ELEMENT, _ALGORITHM = "_sd", "...", "_sd_alg"
_HASH = "sha-256"
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
_RESERVED = frozenset({_DIGESTS, _ELEMENT, _ALGORITHM})
# Never behind a disclosure (draft-ietf-oauth-sd-jwt-vc, "Registered JWT Claims"): a verifier judges by them.
ALWAYS_OPEN: Final = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A member's or element's value that its holder may keep back. The value may hold more of them."""

    value: Any


@dataclass(frozen=True, slots=True)
class Padded:
    """An object with so many digests that nobody sees how many claims it hides: decoys fill up to `digests`."""

    members: Mapping[str, Any]
    digests: int


@dataclass(frozen=True, slots=True)
class Disclosure:
    """`name` None: an array's element. `text` is what was or will be sent, and what the digest is of."""

    text: str
    name: str | None
    value: Any

    @property
    def digest(self) -> str:
        return digest_of(self.text)


@dataclass(frozen=True, slots=True)
class Presentation:
    """A presentation taken apart: form checked, signatures not. `binding` None: no key binding."""

    token: jose.Token
    disclosures: tuple[Disclosure, ...]
    binding: jose.Token | None
    # Over everything before the key binding (RFC 9901, 4.3.1).
    sd_hash: str


def digest_of(text: str) -> str:
    """Base64url of the SHA-256 of a disclosure's or presentation's ASCII."""
    return jose.encode(sha256(text.encode("ascii")).digest())


def conceal(claims: Padded, random: Random) -> tuple[dict[str, Any], tuple[Disclosure, ...]]:
    """The payload that the issuer signs and the disclosures that belong to it. `random` gives so many bytes.

    Raises ValueError for names that SD-JWT keeps for itself: that is the caller's mistake.
    """
    made: list[Disclosure] = []

    def disclose(name: str | None, value: Any) -> str:
        parts = [jose.encode(random(SALT_BYTES)), *(() if name is None else (name,)), walk(value)]
        made.append(Disclosure(jose.encode(jose.json_bytes(parts)), name, parts[-1]))
        return made[-1].digest

    def walk(value: Any) -> Any:
        if isinstance(value, Padded):
            return walk_object(value.members, value.digests)
        if isinstance(value, Mapping):
            return walk_object(value, 0)
        if isinstance(value, list | tuple):
            return [{_ELEMENT: disclose(None, e.value)} if isinstance(e, Hidden) else walk(e) for e in value]
        return value

    def walk_object(members: Mapping[str, Any], least: int) -> dict[str, Any]:
        if _RESERVED & set(members):
            raise ValueError("a reserved name")
        found = {name: walk(value) for name, value in members.items() if not isinstance(value, Hidden)}
        digests = [disclose(name, value.value) for name, value in members.items() if isinstance(value, Hidden)]
        digests += [jose.encode(sha256(random(32)).digest()) for _ in range(least - len(digests))]
        # In the order of their values: the order of the claims tells nothing.
        return {**found, _DIGESTS: sorted(digests)} if digests else found

    if any(isinstance(claims.members.get(name), Hidden) for name in ALWAYS_OPEN):
        raise ValueError("a claim that must stay open")
    return {**walk(claims), _ALGORITHM: _HASH}, tuple(made)


def issue(
    claims: Padded, header: Mapping[str, Any], key: ec.EllipticCurvePrivateKey, random: Random
) -> tuple[str, tuple[Disclosure, ...]]:
    """The signed token and its disclosures; `compose` writes both as what the holder gets."""
    payload, made = conceal(claims, random)
    return jose.sign(header, payload, key), made


def compose(token: str, disclosures: Iterable[Disclosure], binding: str = "") -> str:
    """The compact form: the token, the disclosures, and the key binding, or nothing after the last tilde."""
    return "~".join((token, *(d.text for d in disclosures), binding))


def parse(text: str, typ: str, binding_typ: str = "kb+jwt") -> Presentation:
    """Takes the compact form apart. Raises TokenMalformedError."""
    if len(text) > MOST_BYTES or not text.isascii():
        raise TokenMalformedError("SIZE", f"longer than {MOST_BYTES} bytes or not ASCII", "内容过长或含有非 ASCII 字符")
    token, *rest = text.split("~")
    if not rest:
        raise TokenMalformedError("SD_JWT", "not an SD-JWT", "不是 SD-JWT")
    *disclosures, binding = rest
    if len(disclosures) > MOST_DISCLOSURES:
        raise TokenMalformedError("DISCLOSURES", "too many disclosures", "披露项过多")
    found = tuple(_disclosure(one) for one in disclosures)
    return Presentation(
        jose.parse(token, typ),
        found,
        jose.parse(binding, binding_typ) if binding else None,
        digest_of(text[: len(text) - len(binding)]),
    )


def _disclosure(text: str) -> Disclosure:
    if not 0 < len(text) <= _MOST_DISCLOSURE:
        raise TokenMalformedError("DISCLOSURE", "a disclosure is empty or too long", "披露项为空或过长")
    parts = jose.read_json(jose.decode(text))
    if not isinstance(parts, list) or len(parts) not in {2, 3} or not isinstance(parts[0], str):
        raise TokenMalformedError("DISCLOSURE", "not a disclosure", "披露项格式错误")
    if len(parts) == 2:
        return Disclosure(text, None, parts[1])
    if not isinstance(parts[1], str) or parts[1] in _RESERVED:
        raise TokenMalformedError("DISCLOSURE_NAME", "a disclosure of a reserved name", "披露项使用了保留名称")
    return Disclosure(text, parts[1], parts[2])


def reveal(payload: Mapping[str, Any], disclosures: Sequence[Disclosure]) -> dict[str, Any]:
    """The claims as issued, less what is not disclosed (RFC 9901, 7.1, steps 3 to 5). Raises TokenMalformedError."""
    opened = _Opening(disclosures)
    if payload.get(_ALGORITHM, _HASH) != _HASH:
        raise TokenMalformedError("SD_ALG", f"another digest than {_HASH}", f"摘要算法不是 {_HASH}")
    claims = opened.open_object({name: value for name, value in payload.items() if name != _ALGORITHM}, top=True)
    opened.check_all_used()
    return claims


class _Opening:
    """One walk through a payload: which digests were met, which disclosures were used."""

    def __init__(self, disclosures: Sequence[Disclosure]) -> None:
        self._by_digest = {disclosure.digest: disclosure for disclosure in disclosures}
        if len(self._by_digest) != len(disclosures):
            raise TokenMalformedError("DISCLOSURE_TWICE", "a disclosure stands twice", "披露项重复")
        self._met: set[str] = set()
        self._depth = 0

    def check_all_used(self) -> None:
        if not set(self._by_digest) <= self._met:
            raise TokenMalformedError(
                "DISCLOSURE_UNSIGNED",
                "a disclosure has no digest in what the issuer signed",
                "披露项未被签发者签名",
            )

    def open_object(self, members: Mapping[str, Any], *, top: bool = False) -> dict[str, Any]:
        if _ELEMENT in members or _ALGORITHM in members:
            raise TokenMalformedError("RESERVED_NAME", "a reserved name where none belongs", "保留名称出现在错误位置")
        claims = {name: self._open(value) for name, value in members.items() if name != _DIGESTS}
        digests = members.get(_DIGESTS, [])
        if not isinstance(digests, list) or (_DIGESTS in members and not digests):
            raise TokenMalformedError("DIGESTS", "_sd holds no digests", "_sd 不是摘要列表")
        for digest in digests:
            found = self._take(digest)
            if found is None:
                continue
            if found.name is None:
                raise TokenMalformedError("DISCLOSURE", "an element's disclosure for a member", "披露项类型不符")
            if found.name in claims or (top and found.name in ALWAYS_OPEN):
                raise TokenMalformedError(
                    "CLAIM_TWICE", "a disclosure replaces a claim that is open", "披露项与已公开的声明冲突"
                )
            claims[found.name] = self._open(found.value)
        return claims

    def _open(self, value: Any) -> Any:
        if not isinstance(value, Mapping | list):
            return value
        if self._depth == _DEPTH:
            raise TokenMalformedError("JSON_DEPTH", "nested too deeply", "JSON 嵌套过深")
        self._depth += 1
        opened = self.open_object(value) if isinstance(value, Mapping) else self._open_list(value)
        self._depth -= 1
        return opened

    def _open_list(self, elements: Sequence[Any]) -> list[Any]:
        opened = []
        for element in elements:
            if not isinstance(element, Mapping) or _ELEMENT not in element:
                opened.append(self._open(element))
                continue
            if len(element) != 1:
                raise TokenMalformedError("RESERVED_NAME", "an element's digest with company", "数组摘要项含有多余成员")
            found = self._take(element[_ELEMENT])
            if found is None:
                continue
            if found.name is not None:
                raise TokenMalformedError("DISCLOSURE", "a member's disclosure for an element", "披露项类型不符")
            opened.append(self._open(found.value))
        return opened

    def _take(self, digest: object) -> Disclosure | None:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise TokenMalformedError("DIGESTS", "not a digest", "摘要格式错误")
        if digest in self._met:
            raise TokenMalformedError("DIGEST_TWICE", "a digest stands twice", "摘要重复")
        if len(self._met) == _MOST_DIGESTS:
            raise TokenMalformedError("DIGESTS", "too many digests", "摘要过多")
        self._met.add(digest)
        return self._by_digest.get(digest)
