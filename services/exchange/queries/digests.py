"""Digests of questions and answers; the field names state the algorithm."""

import hashlib
from dataclasses import dataclass

from shuniu.kit.crypto.sm import sm3
from shuniu.kit.crypto.usage import Purpose, count


@dataclass(frozen=True, slots=True)
class CallDigests:
    """Digests of a question and its answer, hex; those of the other algorithm are empty."""

    question_sha256: str = ""
    answer_sha256: str = ""
    question_sm3: str = ""
    answer_sm3: str = ""


@dataclass(frozen=True, slots=True)
class Digests:
    """`algorithm`: sha256, or sm3 in a hub of the profile sm."""

    algorithm: str

    def of(self, question: bytes, answer: bytes) -> CallDigests:
        """Digests of the exact bytes."""
        count(Purpose.EVIDENCE, self.algorithm)
        if self.algorithm == "sm3":
            return CallDigests(question_sm3=sm3(question).hex(), answer_sm3=sm3(answer).hex())
        return CallDigests(hashlib.sha256(question).hexdigest(), hashlib.sha256(answer).hexdigest())
