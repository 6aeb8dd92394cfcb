"""Business metrics of identity."""

from prometheus_client import Counter, Histogram

from shuniu.kit.process.metrics import REGISTRY

ENROLMENTS = Counter("shuniu_identity_enrolments_total", "Platforms enrolled.", registry=REGISTRY)
SUSPENSIONS = Counter("shuniu_identity_suspensions_total", "Platforms suspended.", registry=REGISTRY)
REGISTRATIONS = Counter(
    "shuniu_identity_registrations_total", "Real-name registrations, by result.", ["result"], registry=REGISTRY
)
SIGN_INS = Counter("shuniu_identity_sign_ins_total", "Sign-ins, by result.", ["result"], registry=REGISTRY)
PASSWORD_CHECK = Histogram(
    "shuniu_identity_password_check_seconds",
    "Time a password check took, waiting included.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
TOKENS = Counter("shuniu_identity_tokens_total", "Access tokens issued, by grant type.", ["grant"], registry=REGISTRY)
REPLAYS = Counter(
    "shuniu_identity_replays_total",
    "Codes and refresh tokens presented again; each ended a family.",
    ["what"],
    registry=REGISTRY,
)
SESSIONS_ENDED = Counter(
    "shuniu_identity_sessions_ended_total", "Sessions ended, by reason.", ["reason"], registry=REGISTRY
)
REVEALS = Counter(
    "shuniu_identity_reveals_total", "Personal data sealed to somebody, by purpose.", ["purpose"], registry=REGISTRY
)
