"""Rules of platforms and of enrolment tokens."""
