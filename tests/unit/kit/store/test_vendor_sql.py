import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]

# What only one database understands; the kit's dialect files are the place for it.
VENDOR = re.compile(
    r"sqlalchemy\.dialects|on_conflict_do|ON CONFLICT|SKIP LOCKED|skip_locked|\bunnest\b|copy_records_to_table"
    r"|\bPRAGMA\b|SAVEPOINT|BEGIN IMMEDIATE|pg_[a-z]+_|\bRETURNING\b|\.returning\(|::(text|bigint|bytea|jsonb)"
    r"|\bimport (sqlite3|asyncpg)|from (sqlite3|asyncpg)"
)
ALLOWED = re.compile(r"shuniu/kit/store/(sqlite|postgresql|generic)\w*\.py|shuniu/kit/testing/postgresql\.py")


def code_of(path: Path) -> str:
    """The file without comments and docstrings, which may speak of what the code may not say."""
    text = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
    return re.sub(r"#.*", "", text)


def test_vendor_sql_lives_in_the_dialects() -> None:
    """No code but the kit's dialects speaks the SQL of one database."""
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for folder in ("shuniu", "services", "gateway")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not ALLOWED.fullmatch(str(path.relative_to(ROOT)))
        for match in VENDOR.finditer(code_of(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["from sqlalchemy.dialects.postgresql import insert", "x.on_conflict_do_nothing()", '"PRAGMA x"']
)
def test_the_search_finds_what_it_looks_for(line: str) -> None:
    """The pattern matches vendor SQL when there is some."""
    assert VENDOR.search(line)
