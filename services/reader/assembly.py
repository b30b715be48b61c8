"""Generates the function of a plan that converts the one row of a read to its answer.

The function unpacks the arrays, builds the objects of each level in one comprehension, the deepest level first, groups
them by their parents, and so on upwards. For the statement in statement.py's example it is:

    def assemble(row, slots):
        (p0, p1, p2, p3, p4) = row
        o0 = [{'body': x4} for x4 in p4] if p4 else []
        g0 = {}
        for k, entry in zip(p3 or (), o0):
            if k in g0:
                g0[k].append(entry)
            else:
                g0[k] = [entry]
        o1 = [{'title': x1, 'comments': {'nodes': g0.get(x0, ())}} for x1, x0 in zip(p1, p0)] if p0 else []
        return {'items': {'nodes': o1}}

Of a caller's input the text contains only response names, as Python literals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from services.catalogue.scalars import EnumOutput, format_instant
from services.queries.cursors import CursorCodec
from services.queries.selections import Constant
from services.queries.versions import tag_of_fields
from services.reader.layout import (
    Column,
    NodesLayout,
    ObjectLayout,
    PageLayout,
    RootLayout,
    RowLayout,
    TagLayout,
)
from services.reader.page_source import PageSource
from services.reader.shapes import BoundInput

Assembly = Callable[[Sequence[Any] | None, Sequence[BoundInput]], dict[str, Any]]


def assembly(roots: Sequence[tuple[str, RootLayout]], places: int, cursors: CursorCodec) -> tuple[Assembly, str]:
    """Return the function for a layout whose row has this number of places, and its source."""
    is_row = len(roots) == 1 and isinstance(roots[0][1], RowLayout) and roots[0][1].rows is None
    writer = _Writer(cursors, places, is_row=is_row)
    letter = "x" if is_row else "p"
    members = ", ".join(f"{key!r}: {writer.root(root)}" for key, root in roots)
    guard = [f"if row is None: return {{{roots[0][0]!r}: None}}"] if is_row else []
    unpack = [f"({', '.join(f'{letter}{place}' for place in range(places))},) = row"] if places else []
    body = [*guard, *unpack, *writer.lines, f"return {{{members}}}"]
    source = "def assemble(row, slots):\n" + "\n".join(f"    {line}" for line in body) + "\n"
    exec(compile(source, "<plan>", "exec"), writer.namespace)  # noqa: S102 - generated above, see the module's docstring
    function: Assembly = writer.namespace["assemble"]
    return function, source


class _Writer:
    """Writes the lines of the function; `namespace` holds the values that they refer to by name.

    With `is_row` the row's places are values instead of arrays. The function computes the places from `places` on.

    Methods return the source of an expression, after adding the lines that it depends on. A parameter `used` collects
    the places of the arrays that an expression iterates over, in order.
    """

    def __init__(self, cursors: CursorCodec, places: int, *, is_row: bool) -> None:
        self.cursors, self.is_row = cursors, is_row
        self._next_place = places
        self._tags: dict[TagLayout, int] = {}
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {}
        self._numbers = 0

    def root(self, root: RootLayout) -> str:
        if isinstance(root, Constant):
            return repr(root.value)
        if isinstance(root, NodesLayout):
            return self._nodes(root)
        if isinstance(root, PageLayout):
            page = self._page(root, f"p{root.size}" if root.size is not None else "None")
            return page(self._entries(root))
        if root.rows is None:
            return self._object(root.row, {})
        rows = self._rows(root.row, root.rows)
        return f"({rows}[0] if {rows} else None)"

    def _nodes(self, layout: NodesLayout) -> str:
        maps = []
        for keys, row in layout.found:
            rows, name = self._rows(row, keys), self._name("m")
            self.lines.append(f"{name} = dict(zip(p{keys}, {rows})) if {rows} else {{}}")
            maps.append(name)
        if not maps:
            return "[]"
        nodes = f"[({', '.join(maps)},)[r].get(k) for r, k in slots[{layout.slot}].nodes]"
        return nodes if layout.many else f"{nodes}[0]"

    def _rows(self, row: ObjectLayout, rows: int) -> str:
        """Return the name of the list of a level's objects; `rows` is the place of any of its arrays."""
        used: dict[int, None] = {}
        expression, name = self._object(row, used), self._name("o")
        loop = _loop(used) if used else f"for _ in p{rows}"
        self.lines.append(f"{name} = [{expression} {loop}] if p{rows} else []")
        return name

    def _tag(self, layout: TagLayout) -> int:
        """Return the place of the tags, which the function computes once."""
        if layout not in self._tags:
            used: dict[int, None] = {}
            expression = f"{self._put(tag_of_fields)}({self._object(ObjectLayout([*layout.fields]), used)})"
            if layout.present is not None:
                expression = f"(None if x{layout.present} is None else {expression})"
            place = self._tags[layout] = self._next_place
            self._next_place += 1
            if self.is_row:
                self.lines.append(f"x{place} = {expression}")
            else:
                self.lines.append(f"p{place} = [{expression} {_loop(used)}] if p{next(iter(used))} else []")
        return self._tags[layout]

    def _object(self, row: ObjectLayout, used: dict[int, None]) -> str:
        members = [f"{key!r}: {self._member(member, used)}" for key, member in row.members]
        return f"{{{', '.join(members)}}}"

    def _member(self, member: Constant | Column | TagLayout | ObjectLayout | PageLayout, used: dict[int, None]) -> str:
        if isinstance(member, Constant):
            return repr(member.value)
        if isinstance(member, Column):
            used[member.place] = None
            return self._value(member)
        if isinstance(member, TagLayout):
            place = self._tag(member)
            used[place] = None
            return f"x{place}"
        if isinstance(member, ObjectLayout):
            assert member.present is not None
            used[member.present] = None
            return f"(None if x{member.present} is None else {self._object(member, used)})"
        assert member.parent is not None
        used[member.parent] = None
        return self._page_below(member, f"x{member.parent}")

    def _value(self, column: Column) -> str:
        name, kind = f"x{column.place}", column.kind
        if kind.many:
            expression = f"{self._put(_list_reader(column))}({name})"
        elif kind.identifier is not None:
            expression = f"f'{kind.identifier.prefix}_{{{name}.hex()}}'"
        elif kind.enum is not None:
            return f"{self._put(_enum_shown(column))}[{name}]"
        else:
            return name
        return f"(None if {name} is None else {expression})" if kind.nullable else expression

    def _page_below(self, layout: PageLayout, key: str) -> str:
        entries = self._entries(layout)
        groups = self._name("g")
        self.lines.append(f"{groups} = {{}}")
        if layout.rows is not None:
            self.lines += [
                f"for k, entry in zip(p{layout.parents} or (), {entries}):",
                f"    if k in {groups}:",
                f"        {groups}[k].append(entry)",
                "    else:",
                f"        {groups}[k] = [entry]",
            ]
        page = self._page(layout, "size")
        pages, empty = self._name("d"), self._name("e")
        if layout.size is not None:
            sizes = f"zip(p{layout.sized} or (), p{layout.size} or ())"
            self.lines.append(f"{pages} = {{k: {page(f'{groups}.get(k) or []')} for k, size in {sizes}}}")
            return f"{pages}[{key}]"
        if not layout.depends_on_rows:
            return page(f"{groups}.get({key}, ())")
        self.lines.append(f"{pages} = {{k: {page('entries')} for k, entries in {groups}.items()}}")
        self.lines.append(f"{empty} = {page('[]')}")
        return f"{pages}.get({key}, {empty})"

    def _entries(self, layout: PageLayout) -> str:
        """Return a list of a page's rows: each its object, or a tuple of several objects and the cursor's values."""
        if layout.rows is None:
            return "[]"
        lists = [self._rows(row, layout.rows) for row in layout.objects]
        if layout.cursor and not layout.is_aligned:
            arrays = ", ".join(f"p{column.place}" for column in layout.cursor)
            lists.append(f"zip({arrays})")
        elif len(lists) == 1:
            return lists[0]
        if not lists:
            return f"(p{layout.rows} or [])"
        return f"(list(zip({', '.join(lists)})) if p{layout.rows} else [])"

    def _page(self, layout: PageLayout, size: str) -> Callable[[str], str]:
        """Return a function from the expression of a page's rows to that of the page."""
        if not layout.depends_on_rows:
            return lambda rows: self._page_source(layout, rows, "None", size)
        limit = f"slots[{layout.slot}].values[0]"
        name = self._name("c")
        self.lines.append(f"def {name}(rows, size):")
        if layout.looks_ahead:
            shown = f"rows[-{limit}:]" if layout.backward else f"rows[:{limit}]"
            self.lines += [f"    more = len(rows) > {limit}", f"    rows = {shown} if more else rows"]
        page = self._page_source(layout, "rows", "more" if layout.looks_ahead else "False", "size")
        self.lines.append(f"    return {page}")
        return lambda rows: f"{name}({rows}, {size if layout.size is not None else None})"

    def _page_source(self, layout: PageLayout, rows: str, more: str, size: str) -> str:
        cursor = self._put(_cursor_writer(layout, self.cursors)) if layout.cursor else ""
        return PageSource(layout, rows, more, size, cursor).source()

    def _name(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"

    def _put(self, value: Any) -> str:
        """Add a value to the namespace and return its name."""
        name = self._name("n")
        self.namespace[name] = value
        return name


def _loop(used: Iterable[int]) -> str:
    """Return the loop over the arrays at these places, at least one."""
    names, arrays = [f"x{place}" for place in used], [f"p{place}" for place in used]
    if len(names) == 1:
        return f"for {names[0]} in {arrays[0]}"
    return f"for {', '.join(names)} in zip({', '.join(arrays)})"


def _enum_shown(column: Column) -> EnumOutput:
    """Return the output values of a column's enum."""
    assert column.kind.enum is not None
    return EnumOutput(column.kind.enum, attrgetter("name" if column.by_name else "value"))


def _list_reader(column: Column) -> Callable[[str], list[Any]]:
    """Return the conversion of a list from PostgreSQL's JSON to that of the answer."""
    convert = _json_converter(column)
    return lambda text: [None if entry is None else convert(entry) for entry in orjson.loads(text)]


def _json_converter(column: Column) -> Callable[[Any], Any]:
    kind = column.kind
    if kind.identifier is not None:
        prefix = kind.identifier.prefix
        return lambda text: f"{prefix}_{UUID(text).hex}"
    if kind.python is datetime:
        return lambda text: format_instant(datetime.fromisoformat(text))
    if kind.enum is not None:
        return _enum_shown(column).__getitem__
    return lambda value: value


def _cursor_writer(layout: PageLayout, cursors: CursorCodec) -> Callable[[Iterable[Any]], str]:
    """Return the function that writes the cursor of a row from the values of its order."""
    prefixes = [column.kind.identifier.prefix if column.kind.identifier else None for column in layout.cursor]

    def write(values: Iterable[Any]) -> str:
        pairs = zip(prefixes, values, strict=True)
        plain = [value if prefix is None or value is None else f"{prefix}_{value.hex()}" for prefix, value in pairs]
        return cursors.sign(layout.resource, layout.order, plain)

    return write
