"""Documents that go along many paths at once, as large as the gateway takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLSchema

from services.queries.limits import DEFAULTS, MAX_ROWS
from tests.support.reach.graph import Hop, Path, Way, plain

Tree = dict[Hop, "Tree"]

FIRST: Final = 8
"""Rows of a page at the root, which holds what any caller but an admin may see."""
BELOW: Final = 4
"""Rows of a page below another row."""
SEVERAL: Final = 12
"""Identifiers asked for at once, at most."""


@dataclass(frozen=True)
class Document:
    """A document, and the tree of what it asks for."""

    query: str
    tree: Tree


def documents(
    schema: GraphQLSchema, found: Iterable[Path], parts: int, *, rows: str = "edges", mutation: bool = False
) -> Iterator[Document]:
    """Few documents of so many parts at most that go along all of these paths, from page to row by `rows`."""
    writer, tree = Writer(schema, rows, mutation=mutation), Tree()
    for path in found:
        if not _fits(schema, longer := _with(tree, path), parts):
            yield Document(writer.document(tree), tree)
            longer = _with({}, path)
        tree = longer
    yield Document(writer.document(tree), tree)


def _with(tree: Tree, path: Path) -> Tree:
    if not path:
        return tree
    return {**tree, path[0]: _with(tree.get(path[0], {}), path[1:])}


def _fits(schema: GraphQLSchema, tree: Tree, most: int) -> bool:
    """Whether the gateway takes a document of this size, and it has so many parts at most."""
    # Where one identifier may not be looked up, GraphQL's answer is null as a whole: nothing is asked beside it.
    if len(tree) > 1 and any(hop.way is Way.SEVERAL for hop in tree):
        return False
    parts, tokens = _size(tree)
    tokens += 15 * len(tree) + sum(_fragments(schema, each) for each in _kinds(tree))
    rows = sum(_rows(hop, below, FIRST) for hop, below in tree.items())
    return parts <= most and tokens <= DEFAULTS.GRAPHQL_MAX_TOKENS and rows <= MAX_ROWS


def _fragments(schema: GraphQLSchema, kind: str) -> int:
    return len(plain(schema.type_map[kind]).split()) + 40


def _kinds(tree: Tree) -> set[str]:
    return {hop.type for hop in tree} | {kind for below in tree.values() for kind in _kinds(below)}


def _size(tree: Tree) -> tuple[int, int]:
    """Fields that lead to rows, and tokens."""
    parts, tokens = 0, 0
    for hop, below in tree.items():
        more, written = _size(below)
        parts, tokens = parts + 1 + more, tokens + written + (22 if hop.way is Way.PAGE else 5)
    return parts, tokens


def _rows(hop: Hop, tree: Tree, first: int) -> int:
    below = 1 + sum(_rows(each, further, BELOW) for each, further in tree.items())
    return below * {Way.PAGE: first, Way.SEVERAL: SEVERAL}.get(hop.way, 1)


class Writer:
    """Writes documents. Variables: `$Item` an item's identifier, `$Items` several."""

    def __init__(self, schema: GraphQLSchema, rows: str, *, mutation: bool = False) -> None:
        self.schema, self.rows, self.mutation = schema, rows, mutation

    def document(self, tree: Tree) -> str:
        """The document of a tree."""
        body = " ".join(self._root(hop, below) for hop, below in tree.items())
        fragments = " ".join(self._fragment(kind, body) for kind in sorted(_kinds(tree)))
        variables = sorted({each for hop in tree for each in self._variables(hop)})
        head = f"({', '.join(variables)})" if variables else ""
        return f"{'mutation' if self.mutation else 'query'}{head} {{ {body} }} {fragments}"

    def _variables(self, hop: Hop) -> list[str]:
        if not hop.arguments:
            return []
        return [f"${hop.type}s: [ID!]!"] if hop.way is Way.SEVERAL else [f"${hop.type}: ID!"]

    def _root(self, hop: Hop, below: Tree) -> str:
        inner = self._row(hop, below)
        if self.mutation:
            name = hop.type[0].lower() + hop.type[1:]
            return f"{hop.field}(input: {{ id: ${hop.type} }}) {{ {name} {{ {inner} }} }}"
        if hop.way is Way.ANY:
            return f"{response_key(hop)}: {hop.field}(id: ${hop.type}) {{ ... on {hop.type} {{ {inner} }} }}"
        if hop.way is Way.SEVERAL:
            return f"{response_key(hop)}: {hop.field}(ids: ${hop.type}s) {{ ... on {hop.type} {{ {inner} }} }}"
        if hop.way is Way.ONE and hop.arguments:
            return f"{hop.field}(id: ${hop.type}) {{ {inner} }}"
        return self._field(hop, below, FIRST)

    def _field(self, hop: Hop, below: Tree, first: int) -> str:
        inner = self._row(hop, below)
        if hop.way is Way.ONE:
            return f"{hop.field} {{ {inner} }}"
        rows = f"edges {{ cursor node {{ {inner} }} }}" if self.rows == "edges" else f"nodes {{ {inner} }}"
        return f"{hop.field}(first: {first}) {{ ...{hop.type}Page {rows} }}"

    def _row(self, hop: Hop, tree: Tree) -> str:
        below = " ".join(self._field(each, further, BELOW) for each, further in tree.items())
        return f"...{hop.type}Row {below}"

    def _fragment(self, kind: str, body: str) -> str:
        row = f"fragment {kind}Row on {kind} {{ {plain(self.schema.type_map[kind])} }}"
        if f"...{kind}Page " not in body:
            return row
        other = "nodes { id }" if self.rows == "edges" else "edges { cursor node { id } }"
        connection = f"{kind}Connection"
        return f"{row} fragment {kind}Page on {connection} {{ {plain(self.schema.type_map[connection])} {other} }}"


def response_key(hop: Hop) -> str:
    """What a field at the root is called in the answer."""
    return f"{hop.field}{hop.type}" if hop.way in (Way.ANY, Way.SEVERAL) else hop.field


def counted(tree: Tree) -> int:
    """The paths that a tree goes along, of every length."""
    return sum(1 + counted(below) for below in tree.values())


def variables_of(tree: Tree, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given variables that the document of a tree takes."""
    found = {}
    for hop in tree:
        if hop.arguments:
            name = f"{hop.type}s" if hop.way is Way.SEVERAL else hop.type
            found[name] = given[name]
    return found
