"""One input of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NO_ROW: Final = "—"
CURRENT: Final = "current"
"""The version that the row has for the caller."""
STALE: Final = "stale"
"""One that it never had."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input of an operation.

    `target` says which row it is about, `id` names one that is none of the world's; `needs` are the scopes without
    which it is tried, too. What is `recorded` has a line in the matrix; of others only the agreement counts.
    """

    name: str
    target: str = NO_ROW
    id: str | None = None
    data: Mapping[str, Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    recorded: bool = False
    expected: str | None = None
    """The version of the row that the caller expects: `CURRENT` or `STALE`."""
    is_written: bool = False
    """Whether it is about how a value is written, whoever the caller is: one who may do everything makes the call."""
    scope: str = ""
    """What the matrix says of scopes."""

    @property
    def include(self) -> str:
        """The relation that is read along."""
        return str(self.arguments.get("include", ""))
