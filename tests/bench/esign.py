"""`esign.*`: sealing, verification and codes, each a second of one core's time, the peer in the same rounds.

Every module `tests/bench/parts/esign_*.py` adds its rows: `def measured() -> list[dict[str, Any]]:
    peer = PyHanko()
    return [*sealing(peer), *verifying(peer), *codes()]


async def run() -> list[dict[str, Any]]:
    # In a thread: pyHanko starts event loops of its own.
    found = await asyncio.to_thread(measured)
    for part in sorted(PARTS.glob("esign_*.py")):
        found += await importlib.import_module(f"tests.bench.parts.{part.stem}").run()
    return found
