"""Source locations of declarations, and the error that an invalid declaration raises at start-up."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a source file: `services/sample/labels/resource.py:12`."""

    file: str
    line: int

    @classmethod
    def of_caller(cls) -> Location:
        """Return the nearest frame outside the catalogue: the line of the author's declaration."""
        frame = sys._getframe(1)  # noqa: SLF001 - as logging does; inspect.stack() reads every file
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
            frame = frame.f_back
        return cls(frame.f_code.co_filename, frame.f_lineno)

    @classmethod
    def of_function(cls, function: Callable[..., Any]) -> Location:
        return cls(function.__code__.co_filename, function.__code__.co_firstlineno)

    def __str__(self) -> str:
        relative = os.path.relpath(self.file)
        path = self.file if relative.startswith("..") else relative
        return f"{path}:{self.line}" if self.line else path


class DeclarationError(Exception):
    """An invalid declaration. The message gives the location, the fault and the remedy, in this order."""

    def __init__(self, location: Location, fault: str, hint: str) -> None:
        super().__init__(f"{location}: {fault} Hint: {hint}")
        self.location = location
        self.fault = fault
        self.hint = hint


class Declared:
    """Base class of declarations, which have a name and a location."""

    name: str
    location: Location

    def fault(self, fault: str, hint: str) -> DeclarationError:
        """Return a DeclarationError at the location of this declaration."""
        return DeclarationError(self.location, f"{self.name}: {fault}", hint)


def quoted_names(names: Iterable[str]) -> str:
    """Return the sorted names for an error message: `"a", "b"`."""
    return ", ".join(f'"{name}"' for name in sorted(names)) or "(none)"
