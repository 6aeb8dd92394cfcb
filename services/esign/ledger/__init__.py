"""The ledger: what is logged, checkpoints, receipts, witnesses and monitors."""
