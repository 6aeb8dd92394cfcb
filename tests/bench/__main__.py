"""`make bench`: runs the benchmarks, prints a table and writes var/bench.json.

Each module beside this one is an area: `async def run() -> list[dict]` gives rows {name, value, unit, against, ratio};
`against` and `ratio` are null where nothing is compared. Ratios count: machines are noisy, so what is compared runs in
the same rounds.
"""

import argparse
import asyncio
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

AREAS = ("sql", "edge", "bus", "esign", "ledger", "demo", "rpc", "start", "cli")
RESULT = Path("var/bench.json")


def number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def show(rows: list[dict[str, Any]]) -> None:
    head = ("name", "value", "unit", "against", "ratio")
    table = [
        head,
        *(
            (row["name"], number(row["value"]), row["unit"], number(row["against"]), number(row["ratio"]))
            for row in rows
        ),
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    for line in table:
        print(
            "  ".join(
                cell.ljust(width) if column in (0, 2) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=AREAS, default=None)
    only = parser.parse_args().only
    areas = (only,) if only else AREAS
    rows: list[dict[str, Any]] = []
    for area in areas:
        print(f"{area} …", file=sys.stderr, flush=True)
        found = asyncio.run(importlib.import_module(f"tests.bench.{area}").run())
        rows += [
            {
                "name": row["name"],
                "value": row["value"],
                "unit": row["unit"],
                "against": row.get("against"),
                "ratio": row.get("ratio"),
            }
            for row in found
        ]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores")
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
