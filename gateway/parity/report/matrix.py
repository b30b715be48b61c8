"""Write the authorization matrix as Markdown between two markers of a page, read it back, and compare it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.parity.judging.measured import COLUMNS, SCOPE, Line, MeasuredMatrix

START: Final = "<!-- matrix: measured by `gateway parity --record`, not written -->"
END: Final = "<!-- matrix: end -->"
_NAMES: Final = (SCOPE, *COLUMNS)

Cells = dict[Line, tuple[str, ...]]
"""The cells of each line, without its first two columns."""


def cells(measured: MeasuredMatrix) -> Cells:
    return {
        line: tuple(row.get(name, "") for name in (_NAMES if SCOPE in row else COLUMNS))
        for line, row in measured.lines.items()
    }


def markdown(measured: MeasuredMatrix) -> str:
    """Return the table of operations and relations, and that of masked fields if there are any."""
    lines = cells(measured)
    masks = {line: row for line, row in lines.items() if len(row) == len(COLUMNS)}
    calls = _table(("Operation", "Row", "Scope", *COLUMNS), {line: lines[line] for line in lines if line not in masks})
    return f"{calls}\n{_table(('Field', 'Row', *COLUMNS), masks)}" if masks else calls


def _table(head: Sequence[str], lines: Cells) -> str:
    rows = [head, ["---"] * len(head), *((f"`{name}`", target, *rest) for (name, target), rest in lines.items())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def recorded_in(page: str) -> str:
    """Return the part of a page between the markers. Raises ValueError if they are missing."""
    return _parted(page)[1]


def record(page: str, measured: MeasuredMatrix) -> str:
    """Return the page with the measured matrix between the markers. Raises ValueError if they are missing."""
    before, _, after = _parted(page)
    return f"{before}{START}\n\n{markdown(measured)}\n{END}{after}"


def _parted(page: str) -> tuple[str, str, str]:
    before, start, rest = page.partition(START)
    tables, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"The page has not the lines {START} and {END}.")
    return before, tables, after


def parse(text: str) -> Cells:
    lines: Cells = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip().strip("|").split("|")]
        if parts[0].startswith("`"):
            lines[parts[0].strip("`"), parts[1]] = tuple(parts[2:])
    return lines


def deviations(recorded: Cells, measured: MeasuredMatrix, *, whole: bool) -> Iterator[str]:
    """Yield a sentence for each line that differs from the recorded one; if `whole`, all lines must be measured."""
    lines = cells(measured)
    for line in recorded.keys() - lines.keys() if whole else ():
        yield f"{_named(line)} is recorded and was not measured."
    for line, row in lines.items():
        if line not in recorded:
            yield f"{_named(line)} was measured and is not recorded."
        elif recorded[line] != row:
            changes = [
                f"{name} is {new or 'nothing'}, recorded as {old or 'nothing'}"
                for name, old, new in zip(_NAMES[-len(row) :], recorded[line], row, strict=False)
                if old != new
            ]
            yield f"{_named(line)}: {'; '.join(changes)}."


def _named(line: Line) -> str:
    return f"{line[0]} ({line[1]})"
