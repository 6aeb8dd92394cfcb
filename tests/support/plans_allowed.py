"""What statements of stores may walk through, each with the reason. Whatever is not here fails the test that ran it."""

# Tables that do not grow with use, or only with what an operator does.
SMALL = {
    "audit_head": "one row for each process that writes; on PostgreSQL, for each start of one",
    "counter": "one row for each name of a counter",
    "flow_count": "scenarios times their outcomes",
    "forgotten_seal": "seals of between a backup and its restore",
    "item": "matters that offices publish: thousands, changed by editors",
    "lease": "one row for each task",
    "ledger_head": "one row",
    "meta": "one row",
    "operator": "people who run the hub",
    "platform": "organisations that take part",
    "platform_certificate": "organisations that take part",
    "provider_stream": "streams that providers hold open now",
    "replica_cursor": "one row for each feed",
    "resource": "data that organisations share",
    "resource_grant": "who may use such data: agreements between organisations",
    "seal_version": "one row",
    "signing_key": "keys of the hub",
    "slot_floor": "one row",
}

# Columns under one value of which many rows stand: an index that is entered by nothing else is no help.
SHARED = frozenset({"actor", "family", "kind", "mode", "role", "scenario", "source", "stage", "state", "type"})

# Everything that is wrapped is looked at once after a start, and wrapped again after a key was rotated.
_WRAPPED = dict.fromkeys(
    ((table, ") != ?") for table in ("seal", "sm2_seal", "seal_picture", "licence")), "rewrapping, once after a start"
)

# (table, part of the statement): why it may walk there.
ALLOWED = {
    **_WRAPPED,
    ("audit", "SELECT DISTINCT audit.writer"): "when an operator checks the audit chains",
    ("enrolment_token", "WHERE enrolment_token.used_us ="): "once, by a restore",
    ("case_file", "SELECT case_file.state, count(*)"): "gauges of the exchange now and then, in an index alone",
    ("case_file", "SELECT count(*) AS count_1 FROM case_file WHERE case_file.due_us"): "the same",
    ("subject", "SELECT DISTINCT length(subject.index_key)"): "once at the start of the vault, in an index alone",
}
