"""The part of PromQL that the hub's alerts use, over samples that a test gives: as Prometheus evaluates them.

Expressions: selectors with matchers, ranges and `offset`; increase, rate, changes, resets; sum, max and min, `by (…)`;
comparison with a number or another vector on equal labels; and, or, unless.
"""

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TOKEN = re.compile(r'\s*(\d+[smhd]\b|\d+(?:\.\d+)?|[A-Za-z_:][\w:]*|"[^"]*"|=~|!~|!=|==|>=|<=|[-{}()\[\],=<>])')
_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_STALE = 300.0


@dataclass
class Samples:
    """Scrapes, oldest first: time in s, and the value of each series."""

    scrapes: list[tuple[float, Vector]] = field(default_factory=list)

    def add(self, at: float, texts: Mapping[str, str | None]) -> None:
        """One scrape of all parts, by name: what `/metrics` said; None of one that did not answer."""
        found: Vector = {}
        for part, text in texts.items():
            found[frozenset({("__name__", "up"), ("part", part)})] = float(text is not None)
            for line in (text or "").splitlines():
                match = _SAMPLE.match(line)
                if match:
                    labels = {*_LABEL.findall(match[2] or ""), ("__name__", match[1]), ("part", part)}
                    found[frozenset(labels)] = float(match[3])
        self.scrapes.append((at, found))

    def between(self, after: float, until: float) -> list[Vector]:
        return [vector for at, vector in self.scrapes if after < at <= until]


def evaluate(expression: str, samples: Samples, at: float) -> Vector:
    """The expression's value at a time, by label set without the metric's name."""
    return _Parser(expression, samples, at).whole()


def fires(rule: Mapping[str, str], samples: Samples) -> bool:
    """Whether an alert of alerts.yml fires at the last scrape: its expression holds, and did for as long as `for` says."""
    times = [at for at, _ in samples.scrapes]
    wait = _seconds(rule.get("for", "0s"))
    if times[-1] - times[0] < wait:
        return False
    return all(evaluate(rule["expr"], samples, at) for at in times if at >= times[-1] - wait)


def selectors(expression: str) -> list[str]:
    """The selectors of an expression, without range and offset."""
    return [found[0] for found in re.finditer(r"\b(?:shuniu|grpc|envoy)_\w+(?:\{[^}]*\})?", expression)]


def _seconds(text: str) -> float:
    return float(text[:-1]) * _UNITS[text[-1]]


class _Parser:
    def __init__(self, expression: str, samples: Samples, at: float) -> None:
        self._tokens = _TOKEN.findall(expression)
        assert "".join(self._tokens) == re.sub(r"\s+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", "", expression), expression
        self._samples, self._at, self._next = samples, at, 0

    def whole(self) -> Vector:
        value = self._or()
        assert self._peek() == "", self._tokens[self._next :]
        return value

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        assert not expected or token == expected, (expected, token, self._tokens)
        self._next += 1
        return token

    def _or(self) -> Vector:
        value = self._and()
        while self._peek() == "or":
            self._take()
            value = {**self._and(), **value}
        return value

    def _and(self) -> Vector:
        value = self._compared()
        while self._peek() in ("and", "unless"):
            keep = self._take() == "and"
            other = self._compared()
            value = {labels: number for labels, number in value.items() if (labels in other) == keep}
        return value

    def _compared(self) -> Vector:
        value = self._term()
        if self._peek() not in _COMPARE:
            return value
        compare = _COMPARE[self._take()]
        if re.fullmatch(r"-|\d+(\.\d+)?", self._peek()):
            sign = -1.0 if self._peek() == "-" and self._take() else 1.0
            limit = sign * float(self._take())
            return {labels: number for labels, number in value.items() if compare(number, limit)}
        other = self._term()
        return {
            labels: number for labels, number in value.items() if labels in other and compare(number, other[labels])
        }

    def _term(self) -> Vector:
        token = self._take()
        if token == "(":
            value = self._or()
            self._take(")")
            return value
        if token in _GATHER:
            return self._gathered(_GATHER[token])
        if token in _OVER_TIME:
            self._take("(")
            value = self._over_time(_OVER_TIME[token], self._take())
            self._take(")")
            return value
        chosen = self._chosen(token)
        back = self._offset()
        latest = self._samples.between(self._at - back - _STALE, self._at - back)
        # A series that the last scrape no longer has is stale.
        return _nameless(
            {labels: number for labels, number in (latest[-1] if latest else {}).items() if chosen(labels)}
        )

    def _offset(self) -> float:
        if self._peek() != "offset":
            return 0.0
        self._take()
        return _seconds(self._take())

    def _gathered(self, gather: Callable[[list[float]], float]) -> Vector:
        by: set[str] = set()
        if self._peek() == "by":
            self._take()
            self._take("(")
            while (token := self._take()) != ")":
                by |= {token} - {","}
        self._take("(")
        inner = self._or()
        self._take(")")
        groups: dict[Labels, list[float]] = {}
        for labels, number in inner.items():
            groups.setdefault(frozenset(pair for pair in labels if pair[0] in by), []).append(number)
        return {labels: gather(numbers) for labels, numbers in groups.items()}

    def _chosen(self, name: str) -> Callable[[Labels], bool]:
        matchers: list[tuple[str, str, str]] = []
        if self._peek() == "{":
            self._take()
            while self._peek() != "}":
                matchers.append((self._take(), self._take(), self._take().strip('"')))
                if self._peek() == ",":
                    self._take()
            self._take("}")

        def chosen(labels: Labels) -> bool:
            found = dict(labels)
            return found["__name__"] == name and all(
                _matches(found.get(key, ""), how, text) for key, how, text in matchers
            )

        return chosen

    def _over_time(self, over: Callable[[list[float]], float], name: str) -> Vector:
        chosen = self._chosen(name)
        self._take("[")
        window = _seconds(self._take())
        self._take("]")
        until = self._at - self._offset()
        series: dict[Labels, list[float]] = {}
        for vector in self._samples.between(until - window, until):
            for labels, number in vector.items():
                if chosen(labels):
                    series.setdefault(labels, []).append(number)
        # As Prometheus: one sample alone shows no change.
        return _nameless({labels: over(numbers) for labels, numbers in series.items() if len(numbers) > 1})


def _nameless(vector: Vector) -> Vector:
    return {frozenset(pair for pair in labels if pair[0] != "__name__"): number for labels, number in vector.items()}


def _matches(value: str, how: str, text: str) -> bool:
    equal = re.fullmatch(text, value) is not None if "~" in how else value == text
    return equal != how.startswith("!")


def _increase(numbers: list[float]) -> float:
    return sum(after - before if after >= before else after for before, after in itertools.pairwise(numbers))


def _count(differs: Callable[[float, float], bool]) -> Callable[[list[float]], float]:
    return lambda numbers: float(sum(map(differs, numbers, numbers[1:])))


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_GATHER: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
_OVER_TIME: dict[str, Callable[[list[float]], float]] = {
    "increase": _increase,
    "rate": _increase,
    "changes": _count(lambda before, after: before != after),
    "resets": _count(lambda before, after: after < before),
}
