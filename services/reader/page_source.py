"""Generates the expression of a page in the function of a plan (assembly.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from services.queries.selections import Constant, Cursor, EdgeNode, Edges, PageObject, PageProperty, PageValue, Rows
from services.reader.layout import PageLayout


@dataclass(frozen=True, slots=True)
class PageSource:
    """The source of a page, made of other expressions.

    `rows` is the list of the page's entries, `more` whether the list continues, `size` the size of the whole list, and
    `cursor` the name of the function that writes a cursor. An entry is the row's object, or a tuple of several objects
    and the cursor's values (`t` in the source).
    """

    layout: PageLayout
    rows: str
    more: str
    size: str
    cursor: str

    def source(self) -> str:
        """Return a dictionary display."""
        indices = count()
        members = [self._part(part, indices) for part in self.layout.listing]
        return f"{{{', '.join(members)}}}"

    def _part(self, part: Constant | PageValue | PageObject | Rows | Edges, indices: Iterator[int]) -> str:
        """Return a member of the page; `indices` counts the objects of an entry."""
        if isinstance(part, Rows):
            index = next(indices)
            return f"{part.key!r}: {self.rows if self._is_single else f'[t[{index}] for t in {self.rows}]'}"
        if isinstance(part, Edges):
            members = [f"{member.key!r}: {self._edge_member(member, indices)}" for member in part.members]
            return f"{part.key!r}: [{{{', '.join(members)}}} for t in {self.rows}]"
        if isinstance(part, PageObject):
            facts = [f"{fact.key!r}: {self._fact(fact)}" for fact in part.members]
            return f"{part.key!r}: {{{', '.join(facts)}}}"
        return f"{part.key!r}: {self._fact(part)}"

    def _edge_member(self, member: Constant | Cursor | EdgeNode, indices: Iterator[int]) -> str:
        if isinstance(member, Constant):
            return repr(member.value)
        if isinstance(member, Cursor):
            return f"{self.cursor}(t[{len(self.layout.objects)}])"
        index = next(indices)
        return "t" if self._is_single else f"t[{index}]"

    @property
    def _is_single(self) -> bool:
        """Whether an entry is one object instead of a tuple."""
        return len(self.layout.objects) == 1 and (not self.layout.cursor or self.layout.is_aligned)

    def _fact(self, fact: Constant | PageValue) -> str:
        if isinstance(fact, Constant):
            return repr(fact.value)
        first, last = f"{self.cursor}({self._first_values()})", f"{self.cursor}({self._last_values()})"
        start, end = f"({first} if {self.rows} else None)", f"({last} if {self.rows} else None)"
        backward, inside = self.layout.backward, repr(self.layout.inside)
        known_start, known_end = (start, end) if self.layout.inside else ("None", "None")
        return {
            PageProperty.HAS_NEXT: inside if backward else self.more,
            PageProperty.HAS_PREVIOUS: self.more if backward else inside,
            PageProperty.START: start,
            PageProperty.END: end,
            PageProperty.NEXT: known_end if backward else f"({last} if {self.more} else None)",
            PageProperty.PREVIOUS: f"({first} if {self.more} else None)" if backward else known_start,
            PageProperty.TOTAL: self.size,
        }[fact.about]

    def _first_values(self) -> str:
        """Return the order's values of the page's first row. Read backwards, the arrays may have one row before it."""
        if self.layout.backward and self.layout.is_aligned:
            return self._values_at(f"len(p{self.layout.rows}) - len({self.rows})")
        return self._values_at("0")

    def _last_values(self) -> str:
        """Return the order's values of the page's last row. Read forwards, the arrays may have one row behind it."""
        return self._values_at("-1" if self.layout.backward else f"len({self.rows}) - 1")

    def _values_at(self, index: str) -> str:
        if not self.layout.is_aligned:
            return f"{self.rows}[{index}][{len(self.layout.objects)}]"
        return f"({', '.join(f'p{column.place}[{index}]' for column in self.layout.cursor)},)"
