"""Verdicts on documents of a Shuniu (枢纽) hub, for programs of others.

`shuniu_client.verify` judges offline (extra `verify`), `shuniu_client.online` asks a hub. Both answer with one object.
"""

from shuniu_client.verdict import Verdict

__all__ = ["Verdict"]
