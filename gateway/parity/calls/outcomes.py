"""Normalise the answers to calls, so that equal outcomes compare equal.

Values that are new in each call differ between calls: new keys become `<new 1>`, `<new 2>`… in the order in which they
occur, current instants `<now>`, tokens and hashes `<secret>`; request identifiers are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from gateway.parity.calls.answers import CallResult
from gateway.parity.world.sandbox import State

Outcome = dict[str, Any]
Path = tuple[str | int, ...]

_KEY: Final = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_SECRETS: Final = ("_token", "_hash", "secret")
_REQUEST_ID: Final = "request_id"
"""A column, and a Problem's member, that only HTTP requests fill."""
_COMPARED_ELSEWHERE: Final = frozenset({"errors", "code", "type", "title", _REQUEST_ID})
_PRESENT: Final = timedelta(days=1)


def known_keys(state: State) -> frozenset[str]:
    """Return the keys that occur in these rows, as hexadecimal digits."""
    return frozenset(key.replace("-", "") for key in _KEY.findall(orjson.dumps(state).decode()))


@dataclass(slots=True)
class Normaliser:
    """Normalises outcomes against the keys that were `known` before, and the instant when the calls `started`."""

    known: frozenset[str]
    started: datetime
    _new: dict[str, str] = field(default_factory=dict)

    def outcome(self, answer: CallResult, rows: Mapping[str, Any]) -> Outcome:
        """Return the outcome of a call: its data, or a Problem with its members and field errors, and changed rows."""
        self._new = {}
        return {
            "data": self._value(answer.data),
            "problem": answer.problem,
            "members": {name: value for name, value in answer.members.items() if name not in _COMPARED_ELSEWHERE},
            "errors": answer.errors,
            # The rows are in the order in which their keys were generated, which is the same on all paths.
            "rows": self._value(rows),
        }

    def _value(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {
                self._string(key): self._value(member, key) for key, member in value.items() if key != _REQUEST_ID
            }  # fmt: skip
        if isinstance(value, list):
            return [self._value(entry, name) for entry in value]
        if isinstance(value, str):
            return "<secret>" if name.endswith(_SECRETS) else self._string(value)
        return value

    def _string(self, value: str) -> str:
        if _INSTANT.fullmatch(value):
            instant = datetime.fromisoformat(value)
            return "<now>" if self.started < instant < self.started + _PRESENT else value
        return _KEY.sub(self._key, value)

    def _key(self, match: re.Match[str]) -> str:
        key = match[0].replace("-", "")
        if key in self.known:
            return match[0]
        return self._new.setdefault(key, f"<new {len(self._new) + 1}>")


def differing(left: Any, right: Any, path: Path = ()) -> Iterator[tuple[Path, tuple[Any, Any]]]:
    """Yield the places in which two JSON values differ: the path and both values there."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        for name in left:
            yield from differing(left[name], right[name], (*path, name))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, entries in enumerate(zip(left, right, strict=True)):
            yield from differing(*entries, (*path, index))
    elif left != right:
        yield path, (left, right)
