"""Looks for what a caller should not see in the bytes of an answer, wherever in it."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from typing import Final

from tests.support.asgi import Reply
from tests.support.reach.callers import Caller
from tests.support.reach.world import World

_MARK: Final = re.compile(r"secret-([a-z]+)-([a-z]+)-?")
_IDENTIFIER: Final = re.compile(r"\b[a-z]{2,8}_([0-9a-f]{32})\b")
_BASE64: Final = re.compile(r"[A-Za-z0-9_-]{24,}")


class Scan:
    """What one caller may come across."""

    def __init__(self, world: World, caller: Caller) -> None:
        self.caller, self._identifiers = caller, world.identifiers(caller)
        self._names = {name.replace("_", ""): name for name in world.catalogue.resources}

    def leaks(self, reply: Reply, asked: str = "") -> list[str]:
        """The marks and identifiers in an answer that the caller should not see, those they asked with left aside."""
        header = "\n".join(f"{name}: {value}" for name, value in reply.headers.items())
        text = f"{header}\n{reply.content.decode()}"
        cursors = "\n".join(_decoded(text))
        known = set(_IDENTIFIER.findall(asked)) | self._identifiers
        foreign = set(_IDENTIFIER.findall(text)) - known
        found = [f"the identifier {each}" for each in sorted(foreign)]
        where = {"an answer": text, "a cursor": cursors}
        return found + [f"{mark} in {place}" for place, each in where.items() for mark in self._marks(each)]

    def _marks(self, text: str) -> list[str]:
        marks = set(_MARK.findall(text))
        return sorted(f"secret-{group}-{name}" for group, name in marks if not self._may_see(group, name))

    def _may_see(self, group: str, name: str) -> bool:
        return self.caller.is_in(group) and self.caller.reads(self._names.get(name, name))


def _decoded(text: str) -> Iterator[str]:
    for each in set(_BASE64.findall(text)):
        if not each.startswith("secret-"):
            yield urlsafe_b64decode(each + "=" * (-len(each) % 4)).decode("latin-1")
