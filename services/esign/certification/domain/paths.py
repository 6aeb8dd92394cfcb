"""Certificate paths from a signer to a trusted root (RFC 5280, section 6, for what document signers need).

One search serves all: it goes on until a path passes every rule, because an authority may have been certified several
times, and anybody may put a certificate of it that is for something else beside a signature.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.esign.certification.domain import chain
from services.esign.certification.domain.chain import ChainError, der_of, profile_of
from services.esign.domain.kept import kept

Path = tuple[x509.Certificate, ...]
"""Signer first, root last."""
Rule = Callable[[Path], None]
"""A check of what a path is for; raises ChainError."""
Issued = Callable[[x509.Certificate, x509.Certificate], bool]
"""(certificate, issuer) → whether the one's signature is the other's."""

_MAX_LENGTH = 8
# Certificates looked at on the way to a root: more than any document brings; a bound against hostile ones.
_NEAREST = 16
_MOST_LOOKED_AT = 64
_STAMPING_USES = frozenset(
    {ExtendedKeyUsageOID.TIME_STAMPING.dotted_string, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string}
)


def any_purpose(_path: Path) -> None:
    """Accepts every path: a rule for callers that need no purpose."""


def check_document_path(path: Sequence[x509.Certificate]) -> None:
    """Raises ChainError unless the authorities between a document's signer and its root may vouch for it: their own
    restrictions count (RFC 5280, 4.2.1.10; extended key usages as NSS, Windows and Adobe read them: nobody is for more
    than those above him).
    """
    _check_confined(path, chain.document_uses(profile_of(path[0])))


def check_timestamp_path(path: Sequence[x509.Certificate]) -> None:
    """The same for an authority that states times (RFC 3161, 2.3). Raises ChainError."""
    _check_confined(path, _STAMPING_USES)


def _check_confined(path: Sequence[x509.Certificate], uses: frozenset[str]) -> None:
    for authority in path[1:-1]:
        profile = profile_of(authority)
        if profile.constrains_names:
            raise ChainError(
                "NAME_CONSTRAINTS",
                "上级证书限制了可签发的名称，本系统不能判定",
                "an authority is limited to some names, which is not judged here",
                unknown=True,
            )
        if profile.uses is not None and not profile.uses & uses:
            raise ChainError(
                "ISSUER_USAGE",
                "上级证书不用于签发此类证书",
                "an authority is for certificates of other uses",
                unknown=True,
            )


def has_purpose(path: Sequence[x509.Certificate], purpose: str) -> bool:
    """Tells whether the signer's certificate names this purpose (an OID of ExtendedKeyUsage), and no authority between
    it and the root is confined to others. Raises ChainError.
    """
    named, *above = (profile_of(each).uses for each in path)
    return named is not None and purpose in named and all(uses is None or purpose in uses for uses in above[:-1])


def build(
    signer: x509.Certificate,
    others: Iterable[x509.Certificate],
    roots: Sequence[x509.Certificate],
    rule: Rule,
    *,
    moments: Sequence[int] = (),
    is_shunned: Callable[[Path], bool] = lambda _path: False,
) -> Path:
    """Returns a path from `signer` to one of `roots` (RFC 5280, 6.1): its signatures hold, its authorities may certify,
    and it passes `rule`. Of several paths it takes one that `is_shunned` does not name, and among those the one that is
    valid at most of `moments` (µs); it does not check that the path is valid at any of them. A signer that is a root
    itself is its own path, unless one of its issuers is a root too. Raises ChainError with the fault of the likeliest
    path; `unknown` where a fault is open, or where there are more certificates than are looked at.
    """
    return _nearest(_passing(signer, tuple(others), tuple(roots), (rule,)), moments, is_shunned)


def build_by(
    signer: x509.Certificate,
    others: Iterable[x509.Certificate],
    roots: Sequence[x509.Certificate],
    has_issued: Issued,
    rule: Rule,
    *,
    moments: Sequence[int] = (),
) -> Path:
    """`build` with another check of signatures; nothing of it is kept. Raises ChainError."""
    return _nearest(_found(signer, tuple(others), tuple(roots), rule, has_issued), moments, lambda _path: False)


def _nearest(found: Sequence[Path], moments: Sequence[int], is_shunned: Callable[[Path], bool]) -> Path:
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda path: (not is_shunned(path), sum(chain.valid_at(path, each) for each in moments)))


# A seal signs many documents, and its paths are the same. Errors are not kept.
@kept(256)
def _passing(
    signer: x509.Certificate,
    others: tuple[x509.Certificate, ...],
    roots: tuple[x509.Certificate, ...],
    rule: tuple[Rule],
) -> tuple[Path, ...]:
    return _found(signer, others, roots, rule[0], chain.issued)


def _found(
    signer: x509.Certificate,
    others: tuple[x509.Certificate, ...],
    roots: tuple[x509.Certificate, ...],
    rule: Rule,
    has_issued: Issued,
) -> tuple[Path, ...]:
    """All paths that pass, the likeliest first. Raises ChainError where none does: what is open before what is wrong,
    as anybody may put a certificate there by which a path is wrong.
    """
    search = _Search.of((*roots, *others), roots, has_issued)
    passing: list[Path] = []
    failures: list[ChainError] = []
    for path in search.paths((signer,)):
        try:
            _check_authorities(path)
            rule(path)
        except ChainError as cause:
            failures.append(cause)
        else:
            passing.append(path)
    if passing:
        return tuple(passing)
    if failures:
        raise next((each for each in failures if each.unknown), failures[0] if search.left > 0 else _too_many())
    raise _without_path(signer, (*roots, *others))


def is_led_to(signer: x509.Certificate, others: Iterable[x509.Certificate], roots: Sequence[x509.Certificate]) -> bool:
    """Tells whether signatures lead from it to a trusted root, those by algorithms that no longer hold among them."""
    search = _Search.of((*roots, *tuple(others)[:_NEAREST]), roots, chain.issued_somehow)
    return next(search.paths((signer,)), None) is not None


@dataclass(slots=True)
class _Search:
    """Depth first over certificates by their names; `left`: how many signatures may still be checked."""

    pool: Sequence[x509.Certificate]
    trusted: frozenset[bytes]
    has_issued: Issued
    left: int = field(default=_MOST_LOOKED_AT)

    @classmethod
    def of(cls, pool: Iterable[x509.Certificate], roots: Iterable[x509.Certificate], has_issued: Issued) -> "_Search":
        each_once = {der_of(each): each for each in pool}
        return cls(tuple(each_once.values()), frozenset(map(der_of, roots)), has_issued)

    def paths(self, path: Path) -> Iterator[Path]:
        """Every way from the last of `path` to a trusted certificate: authorities that certify each other, or were
        certified anew, leave several. A trusted certificate whose issuer is trusted too stands between: people give
        whole chains, and what the issuer says of it, its lists and its limits, holds.
        """
        last = path[-1]
        is_trusted = der_of(last) in self.trusted
        is_end = len(path) == _MAX_LENGTH or (is_trusted and last.issuer == last.subject)
        goes_on = False
        for issuer in () if is_end else self._issuers(path):
            if self.left <= 0:
                break
            if is_trusted and der_of(issuer) not in self.trusted:
                continue
            self.left -= 1
            if self.has_issued(last, issuer):
                goes_on = True
                yield from self.paths((*path, issuer))
        if is_trusted and not goes_on:
            yield path

    def _issuers(self, path: Path) -> list[x509.Certificate]:
        """Certificates of the issuer by name: first those that were valid when its certificate was issued, the trusted
        and those that last longest before others.
        """
        begin = path[-1].not_valid_before_utc

        def rank(issuer: x509.Certificate) -> tuple[bool, bool, float]:
            was_valid = issuer.not_valid_before_utc <= begin <= issuer.not_valid_after_utc
            return not was_valid, der_of(issuer) not in self.trusted, -issuer.not_valid_after_utc.timestamp()

        named = (each for each in self.pool if each.subject == path[-1].issuer and each not in path)
        # Anybody who has a certificate can sign others with its key.
        return sorted((each for each in named if der_of(each) in self.trusted or _may_certify(each)), key=rank)


def _may_certify(certificate: x509.Certificate) -> bool:
    try:
        profile = profile_of(certificate)
    except ChainError:
        return False
    return profile.certifies and profile.is_authority is not False


def _check_authorities(path: Path) -> None:
    below = 0
    for authority in path[1:]:
        if authority is not path[-1] or authority.version is not x509.Version.v1:
            _check_authority(authority, below)
        else:
            # A root from before there were extensions; who trusts it has said that it is an authority (6.1.1 d).
            chain.check_key(authority)
        # Self-issued ones do not count (6.1.4 l): an authority certified its own new key.
        below += authority.issuer != authority.subject


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    chain.check_strength(certificate)
    profile = profile_of(certificate)
    if profile.is_authority is None and profile.certifies:
        raise ChainError(
            "ISSUER_NOT_A_CA",
            "上级证书未声明有权颁发证书",
            "an issuer does not say that it is an authority",
            unknown=True,
        )
    if not profile.is_authority or not profile.certifies:
        raise ChainError("ISSUER_NOT_A_CA", "上级证书无权颁发证书", "an issuer is not a certification authority")
    if profile.path_length is not None and profile.path_length < below:
        raise ChainError("PATH_LENGTH", "证书链超过允许长度", "the path is longer than an authority allows")


def _without_path(signer: x509.Certificate, pool: Sequence[x509.Certificate]) -> ChainError:
    """The reason why nobody trusted vouches for the signer, as far as it shows."""
    at: x509.Certificate | None = signer
    for _ in range(_MAX_LENGTH):
        if at is None or at.issuer == at.subject:
            break
        if _weakly_issued(at):
            return ChainError(
                "WEAK_ALGORITHM",
                "签章证书或其上级证书以已不安全的算法签发",
                "a certificate on the way was issued with an algorithm that no longer holds",
                unknown=True,
            )
        below = at
        at = next((c for c in pool if c != below and c.subject == below.issuer), None)
    return not_trusted()


def _too_many() -> ChainError:
    return ChainError(
        "TOO_MANY_CERTIFICATES",
        "附带的证书过多，未能找遍通往受信任根证书的路径",
        "too many certificates to look at every path to a trusted root",
        unknown=True,
    )


def not_trusted() -> ChainError:
    """No path leads to a trusted root."""
    return ChainError(
        "ISSUER_NOT_TRUSTED", "签章证书的颁发机构不在信任范围内", "no trusted root issued the certificate", unknown=True
    )


def _weakly_issued(certificate: x509.Certificate) -> bool:
    try:
        return isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5)
    except UnsupportedAlgorithm:
        return False
