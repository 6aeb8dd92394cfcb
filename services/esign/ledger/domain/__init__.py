"""Rules and formats of the ledger, pure."""
