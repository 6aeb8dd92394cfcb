"""`esign.token_p256`, `esign.token_wrap`: what a PKCS #11 token (SoftHSM) signs and unwraps, its handles held."""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from shuniu.kit.crypto.device import Algorithm
from shuniu.kit.crypto.pkcs11_token import Pkcs11Token
from tests.bench import esign
from tests.support.softhsm import SOFTHSM, TokenPlace


async def run() -> list[dict[str, Any]]:
    if not SOFTHSM.exists():
        return []
    return await asyncio.to_thread(_rows)


def _rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        place = TokenPlace(Path(folder))
        place.new_token("bench")
        token = Pkcs11Token(place.parsed("bench"))
        key, cipher = token.key(token.generate("bench", Algorithm.P256)), token.cipher(token.generate_cipher("bench"))
        wrapped, nonce = cipher.encrypt(bytes(12), os.urandom(138), b"seal/1/key"), bytes(12)
        signed, opened = esign.rounds(
            [
                (lambda: key.sign(b"what a certificate, a code or a token signs"), 2000),
                (lambda: cipher.decrypt(nonce, wrapped, b"seal/1/key"), 2000),
            ]
        )
        token.close()
    return [
        esign.row("esign.token_p256", signed, "signatures/s in a PKCS #11 token"),
        esign.row("esign.token_wrap", opened, "seal keys/s unwrapped in it"),
    ]
