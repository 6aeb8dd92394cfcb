"""What identity keeps and how it is asked for. One SQL that runs on every supported database."""

from services.identity.store.tables import METADATA

__all__ = ["METADATA"]
