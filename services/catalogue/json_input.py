"""Strict parsing of JSON input: UTF-8, and no duplicate names in an object.

RFC 8259, section 4, leaves the meaning of duplicate names open: orjson takes the last value, other parsers the first,
so a proxy that inspects a body could see another value than the gateway acts on.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

import jiter
import orjson

from services.catalogue.problems import BAD_REQUEST, FieldError, Problem

MOST_STEPS: Final = 20
"""The longest path that an error contains, so that answers do not grow with the input; longer ones are cut to the name.
"""

Path: TypeAlias = tuple[str | int, ...]


def read_json(text: bytes, what: str = "The body", at: Path = ()) -> Any:
    """Parse JSON.

    `what` is the subject of the error messages, `at` the prefix of the error paths. Raises `bad_request` for malformed
    JSON and for a name that occurs twice in one object.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Problem(BAD_REQUEST, f"{what} is not well-formed JSON in UTF-8.") from None
    refuse_twice(text, what, at)
    return value


def refuse_twice(text: bytes, what: str = "The body", at: Path = ()) -> None:
    """Raise `bad_request`, as `read_json` does, if a name occurs twice in one object.

    Other faults of the text are left to its parser. Names are compared after their escapes are decoded.
    """
    try:
        jiter.from_json(text, catch_duplicate_keys=True)
    except ValueError:  # or nested deeper than jiter goes
        path = _first_duplicate(text)
        if path is None:
            return
        error = FieldError((*at, *path), "conflict", "This name is given twice.")
        detail = f"{what} gives the name `{error.path[-1]}` twice in one object."
        raise Problem(BAD_REQUEST, detail, errors=[error]) from None


class _ObjectWithDuplicate(dict[str, Any]):
    """An object in which a name occurs twice."""

    name: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    marked, seen = _ObjectWithDuplicate(members), set()
    for name, _ in pairs:
        if name in seen:
            marked.name = name
            break
        seen.add(name)
    return marked


def _first_duplicate(text: bytes) -> Path | None:
    """Return the path of the first duplicate name, or None if there is none or the text is not JSON.

    This is slow, and only called for input that is refused.
    """
    try:
        # Each value with its name and its parent's position: complete paths would be copied at every step.
        pending: list[tuple[Any, Any]] = [(json.loads(text, object_pairs_hook=_object), None)]
    except (ValueError, RecursionError):
        return None
    while pending:
        value, position = pending.pop()
        if isinstance(value, _ObjectWithDuplicate):
            return _path(position, value.name)
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        children = [(child, (name, position)) for name, child in members if child and isinstance(child, (dict, list))]
        pending += reversed(children)
    return None


def _path(position: Any, name: str) -> Path:
    steps: list[str | int] = [name]
    while position is not None and len(steps) <= MOST_STEPS:
        step, position = position
        steps.append(step)
    return tuple(reversed(steps)) if len(steps) <= MOST_STEPS else (name,)
