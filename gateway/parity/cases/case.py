"""One input of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NO_ROW: Final = "—"
CURRENT: Final = "current"
"""The version that the row has for the caller."""
STALE: Final = "stale"
"""A version that the row never had."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input of an operation.

    `target` names the row that the call concerns, or `id` an identifier that no row of the world has. The call is
    repeated without each of the scopes in `needs`. Outcomes of `recorded` cases have a line in the matrix; other cases
    are only compared.
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
    """Whether the case varies only the notation of a value; an admin alone makes such a call."""
    scope: str = ""
    """The scopes that the matrix shows."""

    @property
    def include(self) -> str:
        """The name of the included relation, or the empty string."""
        return str(self.arguments.get("include", ""))
