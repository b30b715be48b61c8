"""Outcomes of calls, in a form in which equal ones are equal.

What is made anew in each call differs from one to the next: keys become `<new 1>`, `<new 2>`… in the order in which
they come, instants of the present `<now>`, tokens and hashes `<secret>`; identifiers of requests are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from gateway.parity.calls.answers import Answer
from gateway.parity.world.rows import State

Path = tuple[str | int, ...]

_KEY: Final = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_SECRETS: Final = ("_token", "_hash", "secret")
_ABSENT: Final = ("request_id",)
"""Columns of the request, which the services have none of."""
_PRESENT: Final = timedelta(days=1)
VARIES: Final = "<varies>"


def known_keys(state: State) -> frozenset[str]:
    """The keys that occur in a world, in hexadecimal digits."""
    return frozenset(each.replace("-", "") for each in _KEY.findall(orjson.dumps(state).decode()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call has come to, normalised: data, problem (with what it tells beside its words), field errors, rows."""

    data: Any
    problem: str | None
    members: Mapping[str, Any]
    errors: Mapping[str, str]
    rows: Mapping[str, Any]

    @property
    def label(self) -> str:
        """`ok`, or the problem's code."""
        return self.problem or "ok"

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "data": self.data, "problem": self.problem, "members": dict(self.members), "errors": dict(self.errors),
            "rows": dict(self.rows),
        }  # fmt: skip


@dataclass(slots=True)
class Normaliser:
    """Knows what was there before."""

    known: frozenset[str]
    started: datetime
    _new: dict[str, str] = field(default_factory=dict)

    def outcome(self, answer: Answer, rows: Mapping[str, Any]) -> Outcome:
        """The outcome of a call."""
        self._new = {}
        members = {name: value for name, value in (answer.members or {}).items() if name not in _ELSEWHERE}
        # The rows come in the order in which their keys were made, which is the same on all ways.
        return Outcome(self._value(answer.data), answer.problem, members, answer.errors or {}, self._value(dict(rows)))

    def _value(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {self._text(key): self._value(each, key) for key, each in value.items() if key not in _ABSENT}
        if isinstance(value, list):
            return [self._value(each, name) for each in value]
        if isinstance(value, str):
            return "<secret>" if name.endswith(_SECRETS) else self._text(value)
        return value

    def _text(self, text: str) -> str:
        if _INSTANT.fullmatch(text):
            instant = datetime.fromisoformat(text)
            return "<now>" if self.started < instant < self.started + _PRESENT else text
        return _KEY.sub(self._key, text)

    def _key(self, found: re.Match[str]) -> str:
        key = found[0].replace("-", "")
        if key in self.known:
            return found[0]
        return self._new.setdefault(key, f"<new {len(self._new) + 1}>")


_ELSEWHERE: Final = frozenset({"errors", "code", "type", "title", *_ABSENT})


def differing(one: Any, other: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of the leaves in which two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differing(one[name], other[name], (*path, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differing(left, right, (*path, index))
    elif one != other:
        yield path


def without(value: Any, paths: Iterable[Path]) -> Any:
    """A JSON value in which what is at these paths, where it is there, does not matter."""
    for path in paths:
        value = _replaced(value, path)
    return value


def _replaced(value: Any, path: Path) -> Any:
    if not path:
        return VARIES
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and step in value:
        return {**value, step: _replaced(value[step], rest)}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [_replaced(each, rest) if index == step else each for index, each in enumerate(value)]
    return value
