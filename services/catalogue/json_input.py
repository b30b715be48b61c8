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


def _first_duplicate(text: bytes) -> Path | None:
    """Return the path of the first duplicate name, if any. This is slow, and only called for input that is refused."""
    try:
        # An object becomes the tuple of its members, so that none is lost.
        pending: list[tuple[Any, Path]] = [(json.loads(text, object_pairs_hook=tuple), ())]
    except (ValueError, RecursionError):
        return None
    while pending:
        value, path = pending.pop()
        names, children = set(), []
        for name, child in value if isinstance(value, tuple) else enumerate(value):
            if name in names:
                return (*path, name) if len(path) < MOST_STEPS else (name,)
            names.add(name)
            if child and isinstance(child, (tuple, list)):
                # Complete paths would be copied at every step.
                children.append((child, (*path[:MOST_STEPS], name)))
        pending += reversed(children)
    return None
