"""What came back of a call, the same whichever way it took."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What came back: data, or a Problem's code, status and errors (as `{field: code}`), in `size` bytes.

    Data is in REST's habit: snake_case, lower-case enums, lists as `{"data": […], "page": {…}}`.
    """

    data: Any = None
    problem: str | None = None
    status: int = 200
    errors: Mapping[str, str] | None = None
    members: Mapping[str, Any] | None = None
    size: int = 0

    @classmethod
    def of_problem(cls, members: Mapping[str, Any], size: int) -> Answer:
        """The answer of a problem's members, in whichever face's habit."""
        errors = {snake_path(each["field"]): each["code"] for each in members.get("errors", ())}
        return cls(None, members["code"], members["status"], errors, members, size)


def snake_path(path: str) -> str:
    """A field path of either face, in REST's habit."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path).lower()
