"""Tables of flows, and what they wait to tell the ledger."""
