"""What the exchange keeps, by subject: cases, sharing (resources and grants), calls (evidence)."""

from services.exchange.store.tables import METADATA

__all__ = ["METADATA"]
