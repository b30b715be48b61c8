"""Limit on concurrent uploads of a process, each of which holds a chunk of its file in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from services.catalogue import Problem
from services.catalogue.problems import TOO_MANY_REQUESTS, UNAVAILABLE
from services.files.store import RETRY_AFTER


class UploadSlots:
    """Slots for `most` uploads. The files of one user, by any sender, may occupy a quarter of them."""

    def __init__(self, most: int) -> None:
        self._most, self._share = most, max(1, most // 4)
        self._running: Counter[UUID] = Counter()

    @contextmanager
    def slot(self, user_id: UUID) -> Iterator[None]:
        """Occupy a slot during the block. Raise `unavailable`, and `too_many_requests` for the user's share."""
        if self._running.total() >= self._most:
            raise Problem(UNAVAILABLE, "The maximum number of files is being sent already.", retry_after=RETRY_AFTER)
        if self._running[user_id] >= self._share:
            message = f"At most {self._share} files of one user can be sent at the same time."
            raise Problem(TOO_MANY_REQUESTS, message, retry_after=RETRY_AFTER)
        self._running[user_id] += 1
        try:
            yield
        finally:
            self._running[user_id] -= 1
            self._running += Counter()  # drops users without uploads
