"""Redis does without for a moment after it failed, so that its absence costs one request a wait and not every one."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeVar

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0


class RedisSilentError(Exception):
    """Redis did not answer, or is not being asked at the moment."""


@dataclass(slots=True)
class Breaker:
    """Stops asking Redis when it fails; one request tries again after a pause, which grows while it stays silent."""

    _pause: float = 0.0
    _until: float = 0.0

    async def ask(self, question: Awaitable[T]) -> T:
        """What Redis answers. Raises RedisSilentError."""
        now = monotonic()
        if now < self._until:
            if isinstance(question, Coroutine):
                question.close()
            raise RedisSilentError
        # Whoever comes while this one tries, does without.
        self._until = now + self._pause
        try:
            answer = await question
        except (RedisError, OSError, TimeoutError) as error:
            if not self._pause:
                log.warning(
                    "redis_unavailable", consequence="PostgreSQL answers, and limits are counted by each worker"
                )
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._until = monotonic() + self._pause
            raise RedisSilentError from error
        self._pause = self._until = 0.0
        return answer
