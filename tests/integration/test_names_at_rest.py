"""What names a person is nowhere in clear in esign's store."""

import base64
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, MetaData, select, update

from services.esign import store
from services.esign.certification.domain.holders import SealKind
from services.esign.seals import pictures as seal_pictures
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.seals.store.history import KeptPicture
from services.esign.ses.domain.values import Picture
from shuniu.api.esign.v1 import esign_pb2, seal_pb2
from shuniu.kit.crypto.keyring import UnreadableError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.store import Store, secret_values
from tests.support.flow_land import flow_land, name_of, person_of, subject_for
from tests.support.in_clear import found_in_cells, found_in_files
from tests.support.seal_land import PERSON, PERSON_NAME, SECURITY, SealLand, rid, seal_land


def of_name(name: str) -> Iterator[bytes]:
    """The name, and as it stands in PEM wherever it begins."""
    raw = name.encode()
    yield raw
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        # What its neighbours do not change.
        yield encoded[(before * 8 + 5) // 6 : len(encoded) - 4]


def cells(conn: Connection) -> Iterator[tuple[str, bytes]]:
    for table in store.METADATA.sorted_tables:
        for row in conn.execute(select(table)).mappings():
            for column, value in row.items():
                yield f"{table.name}.{column}", value if isinstance(value, bytes) else str(value).encode()


def where(conn: Connection, words: list[bytes]) -> set[str]:
    return {place for place, cell in cells(conn) if any(word in cell.replace(b"\n", b"") for word in words)}


async def personal_seal(land: SealLand, picture: bytes = b"", replaces: str = "") -> esign_pb2.Seal:
    """One that an operator approved, suspended and resumed on the short way."""
    apply = seal_pb2.ApplyPersonalSealRequest(request_id=rid(), picture_png=picture, replaces=replaces)
    seal = (await land.personal.ApplyPersonalSeal(apply, metadata=PERSON)).seal
    approve = esign_pb2.ApproveSealRequest(request_id=rid(), id=seal.id)
    approved = (await land.owner.ApproveSeal(approve, metadata=SECURITY)).seal
    suspended = await land.changed(seal.id, esign_pb2.SEAL_STATE_SUSPENDED)
    resumed = await land.changed(seal.id, esign_pb2.SEAL_STATE_ACTIVE)
    assert [one.certificate_pem for one in (approved, suspended, resumed)] == ["", "", ""]
    mine = (await land.personal.ListPersonalSeals(seal_pb2.ListPersonalSealsRequest(), metadata=PERSON)).seals
    return next(one for one in mine if one.id == seal.id)


@pytest.mark.parametrize("sent", [False, True], ids=["drawn", "uploaded"])
async def test_a_persons_seal_lies_nowhere_in_clear(sent: bool) -> None:
    """After a person got a seal, no cell and no file has their name, the certificate or the picture that shows it, not
    in an answer that is kept either; the person reads them, and an organisation's lie as they are.
    """
    async with seal_land(sm2=None) as land:
        drawn = seal_pictures.square_seal(PERSON_NAME).data
        uploaded = seal_pictures.square_seal("另一人").data
        mine = await personal_seal(land, uploaded if sent else b"")
        certificate = x509.load_pem_x509_certificate(mine.certificate_pem.encode())
        shown = await land.owner.GetSealPicture(esign_pb2.GetSealPictureRequest(id=mine.id), metadata=PERSON)
        assert shown.png == (uploaded if sent else drawn)
        words = [*of_name(PERSON_NAME), certificate.public_bytes(Encoding.DER), drawn, uploaded]
        assert await land.rows(lambda conn: where(conn, words)) == set()
        assert found_in_cells([land.folder / "db" / "esign.db"], {"name": PERSON_NAME}) == []
        assert found_in_files(land.folder, {"name": PERSON_NAME}) == []
        for path in land.folder.rglob("esign.db*"):
            assert not [word for word in words if word in path.read_bytes()]
        # The search finds what is there.
        approved = await land.applied()
        approve = esign_pb2.ApproveSealRequest(request_id=rid(), id=approved.id)
        name = list(of_name((await land.owner.ApproveSeal(approve, metadata=SECURITY)).seal.name))
        found = await land.rows(lambda conn: where(conn, name))
        assert {"seal.name", "seal.certificate", "request_log.response"} <= found


async def test_a_closed_value_opens_in_its_place_only() -> None:
    """Put into another row or column it does not open, and a store without the keys neither shows nor takes any."""
    async with seal_land(sm2=False) as land:
        mine = await personal_seal(land)
        (value,) = await land.rows(lambda conn: conn.execute(select(seal_rows.seal.c.certificate)).scalars().all())
        shown = KeptPicture(seal_store.DRAWN, Picture("png", b"\x89-", 20, 20))
        beside = ses_store.Sm2SealRow("s2", b"0-", b"", b"0-")
        picture = update(seal_store.seal_picture).where(seal_store.seal_picture.c.seal_id == mine.id)
        await land.base.store.write(lambda conn: conn.execute(picture.values(data=value)).rowcount)
        with pytest.raises(UnreadableError):
            await land.base.store.read(seal_store.find_picture, mine.id)
        await land.base.store.write(lambda conn: conn.execute(update(seal_rows.seal).values(id="other")).rowcount)
        with pytest.raises(UnreadableError):
            await land.base.store.read(seal_rows.find_seal_by_id, "other")
        without = Store.unchecked(f"sqlite:///{land.folder}/none.db", MetaData(), clock=land.clock)
        for unit in (
            lambda conn: secret_values.reveal(conn, value, b""),
            lambda conn: seal_store.keep_picture(conn, "s2", shown, SealKind.PERSON),
            lambda conn: ses_store.keep_sm2_seal(conn, beside, SealKind.PERSON),
        ):
            with pytest.raises(RuntimeError, match="no cipher"):
                await without.write(unit)
        await without.close()


async def test_a_flow_leaves_no_name_but_in_its_document() -> None:
    """Persons signed with a seal of their own and with a key for one signature: their names stand in the document and
    in no other cell, log or file, in clear or in PEM.
    """
    async with flow_land() as land:
        flow = await land.begin("household_migration")
        for step in ("applicant", "officer", "authority"):
            await land.sign(flow, step)
        await land.completed(flow.id)
        names = [name_of(person_of(subject_for(step))) for step in ("applicant", "officer")]
        words = [word for name in names for word in of_name(name)]
        # As it stands in the signature's certificate, inside the document.
        signed = names[0].encode().hex()
        await land.stop()
        kept = await Store.open(land.database, store.METADATA, clock=SystemClock())
        try:
            found = await kept.read(where, [*words, signed.encode(), signed.upper().encode()])
        finally:
            await kept.close()
        assert found == {"flow_document.pdf"}
        for path in land.root.rglob("*"):
            assert (
                path.name.startswith("esign.db")
                or not path.is_file()
                or not [word for word in words if word in path.read_bytes()]
            ), path
