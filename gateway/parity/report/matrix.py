"""The authorization matrix as Markdown: what was measured, to be kept, and to be compared with.

It stands in a page between two markers; whatever else the page says is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateway.parity.judging.measured import COLUMNS, Line, Measured

START: Final = "<!-- matrix: measured by `gateway parity --record`, not written -->"
END: Final = "<!-- matrix: end -->"

Cells = dict[Line, tuple[str, ...]]
"""The rest of each line behind its first two columns."""


def cells(measured: Measured) -> Cells:
    """Every line that was measured."""
    found = {
        (name, target): (measured.scopes[name], *_row(row)) for (name, target), row in measured.calls.items()
    }  # fmt: skip
    return {**found, **{line: _row(row) for line, row in measured.masks.items()}}


def _row(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row.get(role, "") for role in COLUMNS)


def markdown(measured: Measured) -> str:
    """The tables: of operations and relations, and of masked fields if there are any."""
    every = cells(measured)
    calls = _table(("Operation", "Row", "Scope", *COLUMNS), {line: every[line] for line in measured.calls})
    if not measured.masks:
        return calls
    masks = _table(("Field", "Row", *COLUMNS), {line: every[line] for line in measured.masks})
    return f"{calls}\n{masks}"


def _table(head: Sequence[str], lines: Cells) -> str:
    rows = [head, ["---"] * len(head), *((f"`{name}`", target, *rest) for (name, target), rest in lines.items())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def recorded_in(page: str) -> str:
    """The part of a page between the markers. Raises ValueError when they are not there."""
    return _parted(page)[1]


def record(page: str, measured: Measured) -> str:
    """The page with what was measured between the markers. Raises as `recorded_in`."""
    before, _, after = _parted(page)
    return f"{before}{START}\n\n{markdown(measured)}\n{END}{after}"


def _parted(page: str) -> tuple[str, str, str]:
    before, start, rest = page.partition(START)
    found, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"The page has not the lines {START} and {END}.")
    return before, found, after


def parse(text: str) -> Cells:
    """The lines of the tables in a text."""
    found: Cells = {}
    for line in text.splitlines():
        parts = [each.strip() for each in line.strip().strip("|").split("|")]
        if parts[0].startswith("`"):
            found[parts[0].strip("`"), parts[1]] = tuple(parts[2:])
    return found


def deviations(recorded: Cells, measured: Measured, *, whole: bool) -> Iterator[str]:
    """Sentences about what is not as recorded; `whole`: all was measured, so that lines may be missing."""
    found = cells(measured)
    for line in recorded.keys() - found.keys() if whole else ():
        yield f"{_named(line)} is recorded and was not measured."
    for line, row in found.items():
        if line not in recorded:
            yield f"{_named(line)} was measured and is not recorded."
        elif recorded[line] != row:
            names = COLUMNS if len(row) == len(COLUMNS) else ("scope", *COLUMNS)
            yield f"{_named(line)}: {'; '.join(_changes(names, recorded[line], row))}."


def _changes(names: Sequence[str], old: Sequence[str], new: Sequence[str]) -> Iterable[str]:
    return (
        f"{name} is {now or 'nothing'}, recorded as {was or 'nothing'}"
        for name, was, now in zip(names, old, new, strict=False)
        if was != now
    )


def _named(line: Line) -> str:
    return f"{line[0]} ({line[1]})"
