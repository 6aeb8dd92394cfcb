"""The monitor: everything a log must not do to what was seen of it, told from its public files alone."""

import base64
import shutil

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign import commands
from services.esign.ledger import monitor
from services.esign.ledger.domain import ledger, note
from services.esign.ledger.domain.tiles import parse_path
from services.esign.ledger.monitor import Finding
from services.esign.ledger.store.files import LedgerStore
from tests.support.witnesses import LOG, entries


def grown(directory, first, count, signer=LOG):
    store = LedgerStore.open(directory, signer)
    store.append(entries(first, count))
    store.close()


def look(tmp_path, log="log", keys=(LOG.verifier.vkey,)):
    return commands.ledger_monitor(tmp_path / "memory", keys, directory=tmp_path / log)


def test_a_growing_log_is_consistent(tmp_path):
    """Each look reads only what is new, at every kind of border."""
    first = 0
    for count in (1, 254, 1, 1, 600, 5):
        grown(tmp_path / "log", first, count)
        report = look(tmp_path)
        assert (report.finding, report.before, report.size) == (Finding.CONSISTENT, first, first + count)
        first += count
    assert look(tmp_path).finding is Finding.CONSISTENT


def test_drill_a_rolled_back_log_is_proved(tmp_path):
    """An older copy put in its place: both signed heads are kept as proof, and the memory does not move."""
    grown(tmp_path / "log", 0, 10)
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    grown(tmp_path / "log", 10, 10)
    look(tmp_path)
    report = look(tmp_path, "old")
    assert (report.finding, monitor.EXIT_CODES[report.finding]) == (Finding.ROLLED_BACK, 1)
    assert [ledger.open_checkpoint(text, [LOG.verifier]).size for text in report.proof] == [20, 10]
    assert (tmp_path / "memory.proof").exists()
    assert look(tmp_path).finding is Finding.CONSISTENT


@pytest.mark.parametrize("length", [20, 25, 300])
def test_drill_a_forked_log_is_proved(tmp_path, length):
    """Another history under the same key, as long or longer, as a thief of the key would sign it."""
    grown(tmp_path / "log", 0, 20)
    look(tmp_path)
    grown(tmp_path / "fork", 1000, length)
    report = look(tmp_path, "fork")
    assert report.finding is Finding.FORKED
    assert len(report.proof) == 2


def test_a_log_of_another_key_or_with_changed_files_is_told(tmp_path):
    """Wrong key, a flipped byte in any file, a missing bundle: damaged; nothing at all: unreadable."""
    assert look(tmp_path, "absent").finding is Finding.UNREADABLE
    grown(tmp_path / "log", 0, 300)
    stranger = note.NoteSigner.prepare(LOG.verifier.name, Ed25519PrivateKey.generate())
    assert look(tmp_path, keys=(stranger.verifier.vkey,)).finding is Finding.DAMAGED
    for victim in ("checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000"):
        path = tmp_path / "log" / victim
        sound = path.read_bytes()
        path.write_bytes(sound[:20] + bytes([sound[20] ^ 1]) + sound[21:])
        assert look(tmp_path).finding is Finding.DAMAGED, victim
        path.write_bytes(sound)
    assert look(tmp_path).finding is Finding.CONSISTENT


def test_a_log_is_read_over_http_raw_or_from_a_hub(tmp_path):
    """Files as the specification serves them, and the hub's JSON around the same bytes."""
    grown(tmp_path / "log", 0, 300)

    def raw(request):
        path = request.url.path.removeprefix("/log/")
        if path != "checkpoint":
            parse_path(path)
        file = tmp_path / "log" / path
        return httpx.Response(200, content=file.read_bytes()) if file.exists() else httpx.Response(404)

    def hub(request):
        answer = raw(request)
        if answer.status_code == 404:
            return answer
        kind = "checkpoint" if request.url.path.endswith("checkpoint") else "tile"
        text = answer.text if kind == "checkpoint" else base64.b64encode(answer.content).decode()
        return httpx.Response(200, json={kind: text})

    for serve in (raw, hub, lambda request: httpx.Response(503)):
        client = httpx.Client(transport=httpx.MockTransport(serve))
        report = monitor.Monitor(monitor.Web(client, "https://hub.example/log"), [LOG.verifier]).look(monitor.Memory())
        assert report.finding is (Finding.CONSISTENT if serve in (raw, hub) else Finding.UNREADABLE)
        client.close()


def test_a_memory_that_is_none_is_not_guessed_at(tmp_path):
    """A monitor with a broken memory stops instead of trusting what it finds."""
    grown(tmp_path / "log", 0, 3)
    (tmp_path / "memory").write_text("{}")
    with pytest.raises(ValueError, match="memory"):
        look(tmp_path)
    with pytest.raises(commands.TrustError):
        look(tmp_path, keys=("nonsense",))
