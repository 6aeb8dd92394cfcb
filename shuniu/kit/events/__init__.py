"""Events: outbox, relay, bus, receipts, consumers, inbox and dead letters."""
