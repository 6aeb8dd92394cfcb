"""The reference pages say what the code and the contract say; `python -m docs.generate` writes them."""

import re
from pathlib import Path

import pytest

from docs import generate
from shuniu.kit.errors import Code
from tests.support.contract import rpcs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", ["metrics.md", "audit-events.md", "errors.md", "events.md", "verdict.md"])
def test_page_is_true(name: str) -> None:
    """The page is what the generator makes of the code now; else run `python -m docs.generate`."""
    assert (DOCS / name).read_text("utf-8") == generate.pages()[name]


def test_metrics_are_defined_where_the_page_looks() -> None:
    """Metrics are made in metrics modules alone, so that none is missing from the page."""
    makes = re.compile(r"from prometheus_client import .*\b(Counter|Gauge|Histogram|Summary|Info)\b")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in generate.CODE
        for path in (ROOT / folder).rglob("*.py")
        if makes.search(path.read_text("utf-8"))
    }
    assert found == {module.replace(".", "/") + ".py" for _, module in generate._PROCESSES}


def test_metric_names_are_ours_and_told_once() -> None:
    """A name carries its process, a unit or `total`, and one meaning."""
    names = re.findall(r"^\| `(\w+)`", (DOCS / "metrics.md").read_text("utf-8"), re.MULTILINE)
    assert len(names) == len(set(names)) > 20
    assert [name for name in names if not name.startswith(("shuniu_", "grpc_server_"))] == []


def test_every_published_event_is_in_the_contract() -> None:
    """What services publish is what the event messages declare, no more and no less."""
    assert generate.published_topics() == {event.topic for event in generate.event_types()}


def test_reasons_have_both_texts() -> None:
    """Each reason is said in English and in Chinese somewhere, and with a status that gRPC has."""
    codes = {code.name for code in Code}
    for name, reason in generate.reasons().items():
        assert reason.codes <= codes, name
    on_wire_only = {name for name, reason in generate.reasons().items() if not reason.en}
    # Given by a table of states: the texts are those of the rule named in metadata["cause"].
    assert all(reason.codes for name, reason in generate.reasons().items() if name in on_wire_only)


def test_reasons_that_the_contract_promises_exist() -> None:
    """Each reason that a comment of an RPC names is said by the code; a promise nobody keeps misleads."""
    said = generate.reasons()
    promised = {
        (rpc.name, word)
        for rpc in rpcs()
        for sentence in re.findall(r"Errors:(.*)", generate.contract().comments[rpc.name.replace("/", ".")])
        for word in re.findall(r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b", sentence)
        if word not in Code.__members__
    }
    assert len(promised) > 40
    assert sorted((name, word) for name, word in promised if word not in said) == []


def test_links_in_the_documents_lead_somewhere() -> None:
    """Each relative link of a document leads to a file that is there."""
    broken = [
        f"{page.relative_to(ROOT)} → {target}"
        for page in [
            *ROOT.glob("*.md"),
            *DOCS.rglob("*.md"),
            *ROOT.glob("services/**/*.md"),
            *ROOT.glob("gateway/**/*.md"),
        ]
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists()
    ]
    assert broken == []


def rows_of_reasons() -> list[list[str]]:
    lines = (generate.ROOT / "docs" / "verdict.md").read_text("utf-8").splitlines()
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines if re.match(r"\| `[A-Z_…]+` \|", line)]


def test_every_reason_is_told_in_the_language_that_it_is_told_in() -> None:
    """Chinese stands before the slash and English behind it, what is filled in too."""
    rows = rows_of_reasons()
    assert len(rows) > 200
    for row in rows:
        for cell in row[3:]:
            chinese, _, english = cell.partition(" / ")
            if english:
                assert not re.search("[\u4e00-\u9fff]", english), row
                assert not re.search("[a-z]{3,} [a-z]{2,}", chinese), row


def test_a_reason_that_is_both_good_and_bad_is_told_as_each() -> None:
    """Who shows a text for a reason never shows that of its opposite."""
    told = {(row[0], row[2].partition(",")[0]): row for row in rows_of_reasons()}
    assert "有效" in told["`QR_SIGNATURE`", "valid"][-1]
    assert "不符" in told["`QR_SIGNATURE`", "invalid"][4]
    assert {row[1] for row in rows_of_reasons() if row[0] == "`ALGORITHM`" and "粘贴" in row[4]} == {"parse"}
    against = [row for row in rows_of_reasons() if len(row) > 4]
    assert {row[0] for row in against if row[0].startswith("`SEAL_") and "…" in row[4]} == set()
