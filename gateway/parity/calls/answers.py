"""The answer to a call, in one form for all faces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CallResult:
    """Data, or the code, status and field errors (`{field: code}`) of a Problem, and all its members; `size` is
    that of the body in bytes.

    Data has REST's form: snake_case, lower-case enums, lists as `{"data": […], "page": {…}}`.
    """

    data: Any = None
    problem: str | None = None
    status: int = 200
    errors: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0

    @classmethod
    def of_problem(cls, members: Mapping[str, Any], size: int = 0) -> CallResult:
        """Return the answer for a Problem's members as either face shows them."""
        errors = {snake_path(error["field"]): error["code"] for error in members.get("errors", ())}
        return cls(None, members["code"], members["status"], errors, members, size)


def snake_path(path: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path).lower()
