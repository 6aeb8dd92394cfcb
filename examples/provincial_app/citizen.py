"""The people who use the app."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Citizen:
    """A synthetic person. `serial` is a running number of the demo."""

    serial: int
    login_name: str
    password: str
    full_name: str
    document_type: str
    document_number: str
    division: str
