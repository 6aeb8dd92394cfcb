"""Rules of cases: codes, life, routing, what may be sent with one."""
