"""Looks for words that may lie nowhere in clear: in every file below a directory, and in every cell of its databases."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# The issued documents themselves: they print what the agency certifies.
DOCUMENTS = ("esign.db", "certificate", "pdf")


def forms_of(word: str) -> Iterator[bytes]:
    """The word as bytes. Two characters of UTF-16 are four bytes, which random bytes hold by chance: longer ones only."""
    yield word.encode()
    if len(word) > 3:
        yield word.encode("utf-16-le")
        yield word.encode("utf-16-be")
        escaped = word.encode("ascii", "backslashreplace")
        if escaped != word.encode():
            yield escaped


def found_in_files(data: Path, words: Mapping[str, str]) -> list[str]:
    """`<name of the word> in <file>` for every file; the database with the documents is left to `found_in_cells`."""
    forms = [(name, form) for name, word in words.items() for form in forms_of(word)]
    found = []
    for path in sorted(data.rglob("*")):
        if not path.is_file() or path.name.startswith(DOCUMENTS[0]):
            continue
        content = path.read_bytes()
        found += [f"{name} in {path.relative_to(data)}" for name, form in forms if form in content]
    return found


def found_in_cells(databases: Iterable[Path], words: Mapping[str, str]) -> list[str]:
    """`<name of the word> in <database>.<table>.<column>` for every cell of every table."""
    forms = [(name, form) for name, word in words.items() for form in forms_of(word)]
    found = set()
    for path in databases:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            connection.text_factory = bytes
            tables = [
                row[0].decode() for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            for table in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"')
                columns = [column[0] for column in rows.description]
                for row in rows:
                    for column, cell in zip(columns, row, strict=True):
                        if not isinstance(cell, bytes) or (path.name, table, column) == DOCUMENTS:
                            continue
                        found |= {f"{name} in {path.stem}.{table}.{column}" for name, form in forms if form in cell}
        connection.close()
    return sorted(found)
