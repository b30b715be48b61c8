"""JSON that comes from callers: strict, in UTF-8, and with each name once in an object.

RFC 8259, section 4, leaves open what a name that comes twice means: orjson takes the last, others the first, so that a
proxy that has looked at a body may have seen another value than the gateway acts on.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

import jiter
import orjson

from services.catalogue.problems import BAD_REQUEST, FieldError, Problem

MOST_STEPS: Final = 20
"""Of a path that is told: an answer must not grow with what was sent. Of a longer one only the name is."""

Path: TypeAlias = tuple[str | int, ...]


def read_json(text: bytes, what: str = "The body", at: Path = ()) -> Any:
    """What a text says. `what` begins the sentences that tell what is wrong with it, `at` the paths into it.

    Raises `bad_request` for what is no JSON, and for a name that comes twice in one object, naming it.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Problem(BAD_REQUEST, f"{what} is not well-formed JSON in UTF-8.") from None
    refuse_twice(text, what, at)
    return found


def refuse_twice(text: bytes, what: str = "The body", at: Path = ()) -> None:
    """Raises `bad_request` as `read_json` does for a name that comes twice.

    What else may be wrong with the text is left to whoever parses it. Names are compared as what they say, whatever
    their escapes.
    """
    try:
        jiter.from_json(text, catch_duplicate_keys=True)
    except ValueError:  # or nested deeper than jiter goes
        path = _first_twice(text)
        if path is None:
            return
        error_there = FieldError((*at, *path), "conflict", "This name is given twice.")
        detail = f"{what} gives the name `{error_there.path[-1]}` twice in one object."
        raise Problem(BAD_REQUEST, detail, errors=[error_there]) from None


class _Twice(dict[str, Any]):
    """An object in which a name comes twice."""

    name: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice, seen = _Twice(found), set()
    for name, _ in pairs:
        if name in seen:
            twice.name = name
            return twice
        seen.add(name)
    raise AssertionError


def _first_twice(text: bytes) -> Path | None:
    """Where a name comes twice; None where none does, or the text is no JSON. Slow: for what is refused."""
    try:
        # Each with its name and what it is in: paths written out would be copied at every step.
        waiting: list[tuple[Any, Any]] = [(json.loads(text, object_pairs_hook=_object), None)]
    except (ValueError, RecursionError):
        return None
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, _Twice):
            return _path(place, value.name)
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        inner = [(each, (name, place)) for name, each in members if each and isinstance(each, (dict, list))]
        waiting += reversed(inner)
    return None


def _path(place: Any, name: str) -> Path:
    steps: list[str | int] = [name]
    while place is not None and len(steps) <= MOST_STEPS:
        step, place = place
        steps.append(step)
    return tuple(reversed(steps)) if len(steps) <= MOST_STEPS else (name,)
