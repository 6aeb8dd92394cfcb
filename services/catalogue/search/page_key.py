"""The key that signs page tokens."""

import secrets
from pathlib import Path

from shuniu.kit.process.config import secret
from shuniu.kit.process.durable import write_secret


def page_key(path: Path) -> bytes:
    """The key of page tokens, made at the first start. Raises ConfigError when others can read it."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(path, secrets.token_bytes(32))
    return secret(path)
