"""Where a declaration stands, and the error that stops the start-up when it is wrong."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a source file: `services/sample/labels/resource.py:12`."""

    file: str
    line: int

    @classmethod
    def of_caller(cls) -> Location:
        """The nearest frame outside the catalogue: the line where an author declares something."""
        frame = sys._getframe(1)  # noqa: SLF001 - as logging does; inspect.stack() reads every file
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
            frame = frame.f_back
        return cls(frame.f_code.co_filename, frame.f_lineno)

    def __str__(self) -> str:
        shown = os.path.relpath(self.file)
        place = self.file if shown.startswith("..") else shown
        return f"{place}:{self.line}" if self.line else place


class DeclarationError(Exception):
    """A declaration of the catalogue is wrong. The message has the place, the fault and the mend, in this order."""

    def __init__(self, location: Location, fault: str, mend: str) -> None:
        super().__init__(f"{location}: {fault} Mend: {mend}")
        self.location = location
        self.fault = fault
        self.mend = mend


def listing(names: object) -> str:
    """Names for an error message, sorted: `"a", "b"`."""
    found = (
        sorted(str(name) for name in names) if isinstance(names, (set, frozenset, list, tuple, dict)) else [str(names)]
    )
    return ", ".join(f'"{name}"' for name in found) or "(none)"
