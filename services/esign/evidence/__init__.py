"""Evidence of other services: their digests in the ledger."""
