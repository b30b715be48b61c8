"""How many requests of one caller are answered at the same time: counted by each worker, for as long as they last.

A download lasts until its last byte is sent. Other answers are whole when the place is given back.
"""

from __future__ import annotations

from typing import Final

from services.catalogue.actors import Actor
from services.catalogue.problems import TOO_MANY_REQUESTS, Problem
from services.process.networks import network_of

RETRY_AFTER: Final = 1


class Concurrency:
    """Counts requests in progress by key, by user, or by network address for those who are not signed in.

    It holds a number for each caller that has a request going on, and nothing for anybody else.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.running: dict[int | str, int] = {}

    def slot(self, actor: Actor, address: str) -> _Slot:
        """A place for one request, for the length of the block; `contextlib.ExitStack` can take it on beyond that.

        Entering it raises `too_many_requests` when the caller has as many going on as may be.
        """
        key = actor.key_id or actor.user_id
        # A UUID's own hash is worked out in Python.
        return _Slot(self, network_of(address) if key is None else key.int)


class _Slot:
    """What `slot` returns: a class, since `contextlib.contextmanager` costs a request a microsecond more."""

    __slots__ = ("_caller", "_of")

    def __init__(self, of: Concurrency, caller: int | str) -> None:
        self._of, self._caller = of, caller

    def __enter__(self) -> None:
        running, most = self._of.running.get(self._caller, 0), self._of.most
        if running >= most:
            message = f"At most {most} requests of one caller are answered at the same time."
            raise Problem(TOO_MANY_REQUESTS, message, retry_after=RETRY_AFTER)
        self._of.running[self._caller] = running + 1

    def __exit__(self, *_: object) -> None:
        running = self._of.running.pop(self._caller) - 1
        if running:
            self._of.running[self._caller] = running
