"""From the one row of a read to its answer, by a function that is written for the plan.

The function unpacks the arrays, makes the objects of each level in one comprehension, the deepest first, gathers them
by their parents, and so on upwards. Of the statement in statement.py's example it would be:

    def assemble(row, slots):
        (p0, p1, p2, p3, p4) = row
        o0 = [{'body': x4} for x4 in p4] if p4 else []
        g0 = {}
        for k, each in zip(p3 or (), o0):
            if k in g0:
                g0[k].append(each)
            else:
                g0[k] = [each]
        o1 = [{'title': x1, 'comments': {'nodes': g0.get(x0, ())}} for x1, x0 in zip(p1, p0)] if p0 else []
        return {'items': {'nodes': o1}}

Nothing that a caller sent gets into the text but response names, as Python literals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from services.queries.cursors import CursorCodec
from services.queries.selections import About, Constant
from services.queries.versions import tag_of_fields
from services.reader.layout import (
    Column,
    EdgesLayout,
    FactsLayout,
    NodesLayout,
    ObjectLayout,
    PageLayout,
    RootLayout,
    RowLayout,
    RowsLayout,
    TagLayout,
)
from services.reader.shapes import Bound
from services.reader.values import cursor_writer, enum_shown, list_reader

Assembly = Callable[[Sequence[Any] | None, Sequence[Bound]], dict[str, Any]]


def assembly(roots: Sequence[tuple[str, RootLayout]], places: int, cursors: CursorCodec) -> tuple[Assembly, str]:
    """The function for a layout whose row has so many places, and its source."""
    is_row = len(roots) == 1 and isinstance(roots[0][1], RowLayout) and roots[0][1].rows is None
    writer = _Writer(cursors, places, is_row=is_row)
    letter = "x" if is_row else "p"
    shown = ", ".join(f"{key!r}: {writer.root(root)}" for key, root in roots)
    guard = [f"if row is None: return {{{roots[0][0]!r}: None}}"] if is_row else []
    unpack = [f"({', '.join(f'{letter}{place}' for place in range(places))},) = row"] if places else []
    body = [*guard, *unpack, *writer.lines, f"return {{{shown}}}"]
    source = "def assemble(row, slots):\n" + "\n".join(f"    {line}" for line in body) + "\n"
    exec(compile(source, "<plan>", "exec"), writer.namespace)  # noqa: S102 - the text is all ours, see above
    made: Assembly = writer.namespace["assemble"]
    return made, source


class _Writer:
    """Writes the function's lines; what they call by name is put in the namespace.

    `is_row`: the row's places are values instead of arrays. Places from `places` on are made here.
    """

    def __init__(self, cursors: CursorCodec, places: int, *, is_row: bool) -> None:
        self.cursors, self.is_row = cursors, is_row
        self._next_place = places
        self._tags: dict[TagLayout, int] = {}
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {}
        self._numbers = 0

    def root(self, root: RootLayout) -> str:
        """The expression of a root's answer."""
        if isinstance(root, Constant):
            return repr(root.value)
        if isinstance(root, RowLayout) and root.rows is None:
            return self._object(root.row, {})
        if isinstance(root, RowLayout):
            assert root.rows is not None
            rows = self._rows(root.row, root.rows)
            return f"({rows}[0] if {rows} else None)"
        if isinstance(root, NodesLayout):
            return self._nodes(root)
        page = self._page(root, f"p{root.size}" if root.size is not None else "None")
        return page(self._components(root))

    def _nodes(self, layout: NodesLayout) -> str:
        maps = []
        for keys, row in layout.found:
            rows, name = self._rows(row, keys), self._name("m")
            self.lines.append(f"{name} = dict(zip(p{keys}, {rows})) if {rows} else {{}}")
            maps.append(name)
        if not maps:
            return "[]"
        found = f"[({', '.join(maps)},)[r].get(k) for r, k in slots[{layout.slot}].nodes]"
        return found if layout.many else f"{found}[0]"

    def _rows(self, row: ObjectLayout, rows: int) -> str:
        """The name of the list of a level's objects; `rows` is any of its arrays."""
        used: dict[int, None] = {}
        shown, name = self._object(row, used), self._name("o")
        each = _each(used) if used else f"for _ in p{rows}"
        self.lines.append(f"{name} = [{shown} {each}] if p{rows} else []")
        return name

    def _tag(self, layout: TagLayout) -> int:
        """The place of the tags, which are made when they are first asked for."""
        if layout not in self._tags:
            used: dict[int, None] = {}
            shown = f"{self._put(tag_of_fields)}({self._object(ObjectLayout([*layout.fields]), used)})"
            if layout.present is not None:
                shown = f"(None if x{layout.present} is None else {shown})"
            place = self._tags[layout] = self._next_place
            self._next_place += 1
            made = f"x{place} = {shown}"
            if not self.is_row:
                made = f"p{place} = [{shown} {_each(used)}] if p{next(iter(used))} else []"
            self.lines.append(made)
        return self._tags[layout]

    def _object(self, row: ObjectLayout, used: dict[int, None]) -> str:
        """The expression of one object; notes the arrays it is made of."""
        members = []
        for key, member in row.members:
            members.append(f"{key!r}: {self._member(member, used)}")
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
        """The expression of a value, in an `x` of its own."""
        name, kind = f"x{column.place}", column.kind
        if kind.many:
            shown = f"{self._put(list_reader(column))}({name})"
        elif kind.identifier is not None:
            shown = f"f'{kind.identifier.prefix}_{{{name}.hex()}}'"
        elif kind.enum is not None:
            return f"{self._put(enum_shown(column))}[{name}]"
        else:
            return name
        return f"(None if {name} is None else {shown})" if kind.nullable else shown

    def _page_below(self, layout: PageLayout, key: str) -> str:
        """The expression of the page of the parent with this key."""
        components = self._components(layout)
        groups = self._name("g")
        self.lines += [f"{groups} = {{}}"]
        if layout.rows is not None:
            self.lines += [
                f"for k, each in zip(p{layout.parents} or (), {components}):",
                f"    if k in {groups}:",
                f"        {groups}[k].append(each)",
                "    else:",
                f"        {groups}[k] = [each]",
            ]
        page = self._page(layout, "size")
        made, none = self._name("d"), self._name("e")
        if layout.size is not None:
            sizes = f"zip(p{layout.sized} or (), p{layout.size} or ())"
            self.lines.append(f"{made} = {{k: {page(f'{groups}.get(k) or []')} for k, size in {sizes}}}")
            return f"{made}[{key}]"
        if not _looks_at_rows(layout):
            return page(f"{groups}.get({key}, ())")
        self.lines.append(f"{made} = {{k: {page('each')} for k, each in {groups}.items()}}")
        self.lines.append(f"{none} = {page('[]')}")
        return f"{made}.get({key}, {none})"

    def _components(self, layout: PageLayout) -> str:
        """The expression of what is known of each row: its object, or several objects and the cursor's values."""
        if layout.rows is None:
            return "[]"
        found = [self._rows(row, layout.rows) for row in _objects(layout)]
        if layout.cursor and not _is_aligned(layout):
            arrays = ", ".join(f"p{column.place}" for column in layout.cursor)
            found.append(f"zip({arrays})")
        elif len(found) == 1:
            return found[0]
        if not found:
            return f"(p{layout.rows} or [])"
        return f"(list(zip({', '.join(found)})) if p{layout.rows} else [])"

    def _page(self, layout: PageLayout, size: str) -> Callable[[str], str]:
        """From the expression of rows to that of their page."""
        limit = f"slots[{layout.slot}].values[0]"
        if not _looks_at_rows(layout):
            return lambda rows: self._parts(layout, rows, "None", size)
        name = self._name("c")
        ahead = bool(_facts(layout) & layout.ahead)
        self.lines.append(f"def {name}(rows, size):")
        if ahead:
            kept = f"rows[-{limit}:]" if layout.backward else f"rows[:{limit}]"
            self.lines += [f"    more = len(rows) > {limit}", f"    rows = {kept} if more else rows"]
        self.lines.append(f"    return {self._parts(layout, 'rows', 'more' if ahead else 'False', 'size')}")
        return lambda rows: f"{name}({rows}, {size if layout.size is not None else None})"

    def _parts(self, layout: PageLayout, rows: str, more: str, size: str) -> str:
        objects, last = iter(range(len(_objects(layout)))), len(_objects(layout))
        single = last == 1 and (not layout.cursor or _is_aligned(layout))
        cursor = self._put(cursor_writer(layout, self.cursors)) if layout.cursor else ""
        shown = []
        for part in layout.parts:
            if isinstance(part, RowsLayout):
                place = next(objects)
                shown.append(f"{part.key!r}: {rows if single else f'[t[{place}] for t in {rows}]'}")
            elif isinstance(part, EdgesLayout):
                members = []
                for key, member in part.members:
                    if isinstance(member, Constant):
                        members.append(f"{key!r}: {member.value!r}")
                    elif member is None:
                        members.append(f"{key!r}: {cursor}(t[{last}])")
                    else:
                        place = next(objects)
                        members.append(f"{key!r}: {'t' if single else f't[{place}]'}")
                shown.append(f"{part.key!r}: [{{{', '.join(members)}}} for t in {rows}]")
            else:
                facts = [f"{key!r}: {_fact(fact, layout, rows, more, size, cursor)}" for key, fact in part.members]
                shown.append(f"{part.key!r}: {{{', '.join(facts)}}}" if part.key is not None else facts[0])
        return f"{{{', '.join(shown)}}}"

    def _name(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"

    def _put(self, value: Any) -> str:
        name = self._name("n")
        self.namespace[name] = value
        return name


def _each(used: Iterable[int]) -> str:
    """The loop over the arrays at these places, at least one."""
    names, arrays = [f"x{place}" for place in used], [f"p{place}" for place in used]
    if len(names) == 1:
        return f"for {names[0]} in {arrays[0]}"
    return f"for {', '.join(names)} in zip({', '.join(arrays)})"


def _fact(fact: Constant | About, layout: PageLayout, rows: str, more: str, size: str, cursor: str) -> str:
    if isinstance(fact, Constant):
        return repr(fact.value)
    first, last = f"{cursor}({_first(layout, rows)})", f"{cursor}({_last(layout, rows)})"
    start, end = f"({first} if {rows} else None)", f"({last} if {rows} else None)"
    inside = repr(layout.inside)
    known_start, known_end = (start, end) if layout.inside else ("None", "None")
    return {
        About.HAS_NEXT: inside if layout.backward else more,
        About.HAS_PREVIOUS: more if layout.backward else inside,
        About.START: start,
        About.END: end,
        About.NEXT: known_end if layout.backward else f"({last} if {more} else None)",
        About.PREVIOUS: f"({first} if {more} else None)" if layout.backward else known_start,
        About.TOTAL: size,
    }[fact]


def _first(layout: PageLayout, rows: str) -> str:
    """The values of the order of a page's first row; read backwards, the arrays may have one before it."""
    if layout.backward and _is_aligned(layout):
        return _place_of(layout, rows, f"len(p{layout.rows}) - len({rows})")
    return _place_of(layout, rows, "0")


def _last(layout: PageLayout, rows: str) -> str:
    """The values of the order of a page's last row; read forwards, the arrays may have one behind it."""
    return _place_of(layout, rows, "-1" if layout.backward else f"len({rows}) - 1")


def _place_of(layout: PageLayout, rows: str, index: str) -> str:
    """The expression of the values of the order of a page's row."""
    if not _is_aligned(layout):
        return f"{rows}[{index}][{len(_objects(layout))}]"
    return f"({', '.join(f'p{column.place}[{index}]' for column in layout.cursor)},)"


def _is_aligned(layout: PageLayout) -> bool:
    """Whether the page's rows are those of the arrays, so that what the cursors need can stay in these."""
    edges = (part for part in layout.parts if isinstance(part, EdgesLayout))
    return layout.parent is None and not any(member is None for part in edges for _, member in part.members)


def _facts(layout: PageLayout) -> set[About]:
    parts = (part for part in layout.parts if isinstance(part, FactsLayout))
    return {fact for part in parts for _, fact in part.members if isinstance(fact, About)}


def _objects(layout: PageLayout) -> list[ObjectLayout]:
    """The objects shown of each row, in order."""
    found = []
    for part in layout.parts:
        if isinstance(part, RowsLayout):
            found.append(part.row)
        elif isinstance(part, EdgesLayout):
            found += [member for _, member in part.members if isinstance(member, ObjectLayout)]
    return found


def _looks_at_rows(layout: PageLayout) -> bool:
    """Whether a page is more than a wrapping of its rows."""
    known = {About.TOTAL, About.HAS_NEXT if layout.backward else About.HAS_PREVIOUS}
    return len(_objects(layout)) != 1 or bool(layout.cursor) or bool(_facts(layout) - known)
