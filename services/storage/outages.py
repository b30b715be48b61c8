"""Errors of PostgreSQL caused by neither the caller nor the gateway, by SQLSTATE (its documentation, appendix A)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

import structlog
from cachetools import TTLCache

log = structlog.get_logger(__name__)

QUIET_SECONDS: Final = 10.0
"""How long the same outage is not logged again."""


class Outage(Enum):
    """The consequence of an error for the request and its connection."""

    LOST = "lost"
    """503; the connection is closed, or about to be."""
    DEMOTED = "demoted"
    """503; the server is read-only, so its connections are replaced."""
    BUSY = "busy"
    """503; the connection remains usable."""
    RACE = "race"
    """409 for a write, 503 for a read; the transaction is rolled back, and may succeed if it is repeated."""
    UNMIGRATED = "unmigrated"
    """503; the schema is not that of this version."""


_MEANING: Final[Mapping[str, Outage]] = {
    "08": Outage.LOST,  # connection exceptions, and refusals of poolers
    "25006": Outage.DEMOTED,  # read-only transaction: a standby, or default_transaction_read_only
    "25P03": Outage.LOST,  # idle in a transaction for too long
    "25P04": Outage.LOST,  # a transaction that took too long
    "28": Outage.BUSY,  # the password is (not yet) another one
    "3D000": Outage.BUSY,  # no such database
    "3F000": Outage.UNMIGRATED,  # no such schema
    "40001": Outage.RACE,  # serialisation failure; on a standby, a conflict with recovery
    "40003": Outage.LOST,  # it is unknown whether the statement was completed
    "40P01": Outage.RACE,  # deadlock
    "42703": Outage.UNMIGRATED,  # no such column
    "42704": Outage.UNMIGRATED,  # no such type
    "42883": Outage.UNMIGRATED,  # no such function
    "42P01": Outage.UNMIGRATED,  # no such table
    "53": Outage.BUSY,  # disk full, out of memory, too many connections
    "55P03": Outage.BUSY,  # a lock was waited for too long
    "57014": Outage.BUSY,  # a statement took too long
    "57P": Outage.LOST,  # shut-down, crash, not (yet) accepting connections, database dropped, idle for too long
    "58": Outage.BUSY,  # the system: input and output
}
"""By SQLSTATE or a prefix of it."""

_told: TTLCache[str, bool] = TTLCache(100, QUIET_SECONDS)


def outage_of(state: str | None) -> Outage | None:
    """Return the outage that an SQLSTATE indicates, or None."""
    if not state:
        return None
    return _MEANING.get(state) or _MEANING.get(state[:3]) or _MEANING.get(state[:2])


def tell(error: BaseException, outage: Outage | None) -> None:
    """Log why requests are answered with 503, the same cause at most once in `QUIET_SECONDS`."""
    cause = " ".join(str(error).split("\n", 1)[0].split())
    summary = f"{type(error).__name__}: {cause}"
    if summary in _told:
        return
    _told[summary] = True
    if outage is Outage.UNMIGRATED:
        log.error("database_not_migrated", hint="run `gateway migrate`", error=summary)
    else:
        log.warning("database_unavailable", error=summary)
