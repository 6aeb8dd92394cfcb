"""The ledger on disk, and the newest head that the database remembers."""
