"""The lists of revoked seal certificates of the hub on this machine, asked over its own edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shuniu.cli.place import Place
from shuniu.kit.process.process_lock import is_held

# The hub on this machine answers at once or does not run.
_SECONDS = 2.0
_MOST_AUTHORITIES = 256
_FIRST = "/crl?ca=0"
# Some hundred thousand entries.
_MOST_BYTES = 16 * 1024 * 1024
# How the hub says that it has no such authority, or no such family of keys.
_NO_SUCH = frozenset({400, 404})


@dataclass(frozen=True, slots=True)
class Lists:
    """`files`: as files of a trust directory, PEM. `missing`: what a hub that was there did not give."""

    files: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def revocation_lists(place: Place) -> Lists:
    """The newest ones, one for each seal CA that the hub has or had. Nothing, and nothing missing, where no hub runs:
    the very first connection is refused, and no supervisor is at work. A hub that is there and does not answer, or dies
    between two answers, may have a list that makes a verdict INVALID.
    """
    # Only where there is a hub: a client of HTTP takes its time to be imported.
    import ssl
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPSHandler, ProxyHandler, build_opener

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found: dict[str, str] = {}
    missing: list[str] = []
    families = (("/crl", "esign"), ("/crl/sm2", "esign-sm2"))
    try:
        tls = HTTPSHandler(context=ssl.create_default_context(cafile=place.trust))
    except OSError:
        return Lists(missing=tuple(path for path, _ in families))
    # This machine's own hub: no proxy stands between.
    opener, base = build_opener(ProxyHandler({}), tls), f"https://{place.edge().people}"
    for path, name in families:
        for number in range(_MOST_AUTHORITIES):
            asked = f"{path}?ca={number}"
            try:
                with opener.open(f"{base}{asked}", timeout=_SECONDS) as answer:
                    crl = x509.load_der_x509_crl(answer.read(_MOST_BYTES))
            except HTTPError as error:
                if error.code not in _NO_SUCH:
                    missing.append(asked)
                # A list that is refused for good: authorities that came after it have theirs.
                if error.headers.get("x-shuniu-reason") == "SEALS_FORGOTTEN":
                    continue
                break
            except (OSError, ValueError, HTTPException) as error:
                is_refused = isinstance(error, URLError) and isinstance(error.reason, ConnectionRefusedError)
                if is_refused and asked == _FIRST and not is_held(place.lock):
                    return Lists()
                missing.append(asked)
                break
            found[f"{name}-{number}.crl"] = crl.public_bytes(Encoding.PEM).decode("ascii")
        else:
            # Further authorities may exist: their lists count as missing.
            missing.append(f"{path}?ca={_MOST_AUTHORITIES}")
    return Lists(found, tuple(missing))
