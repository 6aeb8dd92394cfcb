"""Evidence: records of what happened, their digests in esign's ledger, files for those who took part."""
