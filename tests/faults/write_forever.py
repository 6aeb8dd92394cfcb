"""Writes rows one after another and prints the number of each as soon as it was answered, until it is killed."""

import asyncio
import os
import sys

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, insert

from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import Store, kit_tables

metadata = MetaData()
kit_tables(metadata)
row = Table("row", metadata, Column("number", BigInteger, primary_key=True, autoincrement=False))


def add(conn: Connection, number: int) -> None:
    conn.execute(insert(row), {"number": number})


async def write_forever(url: str, callers: int, most: int) -> None:
    store = await Store.open(url, metadata, clock=SystemClock())
    numbers = iter(range(most))

    async def caller() -> None:
        for number in numbers:
            await store.write(add, number)
            os.write(1, f"{number}\n".encode())

    await asyncio.gather(*(caller() for _ in range(callers)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(write_forever(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
