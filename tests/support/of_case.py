"""The document of one case, as the store has it."""

from sqlalchemy import Connection

from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.store.stages import of_cases


def of_case(conn: Connection, case_code: str) -> CertificateRow | None:
    return of_cases(conn, [case_code]).get(case_code)
