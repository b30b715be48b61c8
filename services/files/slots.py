"""How many uploads a process takes in at the same time: each holds a chunk of its file in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from services.catalogue import Problem
from services.catalogue.problems import TOO_MANY_REQUESTS, UNAVAILABLE
from services.files.store import RETRY_AFTER


class UploadSlots:
    """Places for `most` uploads, of which one user's files have a quarter, whoever sends them and by what link."""

    def __init__(self, most: int) -> None:
        self._most, self._share = most, max(1, most // 4)
        self._running: Counter[UUID] = Counter()

    @contextmanager
    def slot(self, user_id: UUID) -> Iterator[None]:
        """A place for the length of the block. Raises `unavailable`, and `too_many_requests` for the user's share."""
        if self._running.total() >= self._most:
            raise Problem(UNAVAILABLE, "As many files are being sent as there can be.", retry_after=RETRY_AFTER)
        if self._running[user_id] >= self._share:
            told = f"At most {self._share} files of one user can be sent at the same time."
            raise Problem(TOO_MANY_REQUESTS, told, retry_after=RETRY_AFTER)
        self._running[user_id] += 1
        try:
            yield
        finally:
            self._running[user_id] -= 1
            self._running += Counter()  # forgets who has none
