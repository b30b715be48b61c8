"""GraphQL documents: valid ones over the real schema, with whatever the query language has.

A document is made decision by decision. What could make it invalid is ruled out as it is written: a response name
means the same field with the same arguments wherever it occurs, so that fields always can be merged; each operation
defines the variables that it uses, be it through fragments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    specified_scalar_types,
)

from tests.support.generated.arguments import Arguments
from tests.support.generated.choices import Choices
from tests.support.generated.material import Material
from tests.support.generated.variables import Scope, Values

ALIASES: Final = ("a", "id", "title", "nodes", "edges", "node", "totalCount", "class", "None", "_")
SMALL: Final = (3, 2, 4, 2, 6, 3, 3, 10)
LARGE: Final = (6, 4, 9, 16, 12, 9, 35, 25)
"""Fields of a document, beyond which it goes no deeper."""
REQUIRED_BOOLEAN: Final = GraphQLNonNull(specified_scalar_types["Boolean"])


@dataclass(frozen=True)
class Asked:
    """What is sent: a document, the operation's name, variables."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    flawed: bool = False
    """Whether values in it may be wrong."""

    def body(self) -> dict[str, Any]:
        """As GraphQL over HTTP has it."""
        return {"query": self.query, "operationName": self.operation_name, "variables": self.variables}


@dataclass(frozen=True)
class Selected:
    """A selection set, the fragments in it, its variables' definitions (each behind a comma) and values."""

    text: str
    fragments: str
    definitions: str
    variables: dict[str, Any]


@dataclass
class Fragment:
    """A fragment of the document; `depth`: how many relations it may go down."""

    name: str
    kind: str
    depth: int
    scope: Scope = field(default_factory=Scope)
    text: str | None = None


class Document:
    """One document in the making."""

    def __init__(
        self, schema: GraphQLSchema, material: Material, choices: Choices, sizes: Sequence[int] = SMALL
    ) -> None:
        self.schema, self.choices = schema, choices
        self.values = Values(choices, wrong=choices.chance(22))
        self.arguments = Arguments(material, self.values, choices)
        self.fragments: dict[str, Fragment] = {}
        self.names: dict[str, tuple[str, str, str]] = {}
        """By response names: the field, its arguments, its signature."""
        self.using: dict[str, dict[str, None]] = {}
        """The variables in the arguments of response names."""
        self.left = choices.of(sizes)
        query = schema.query_type
        assert query is not None
        self.query: GraphQLObjectType = query

    def write(self) -> Asked:
        """All of it."""
        number = 2 if self.choices.chance(12) else 1
        operations = [self._operation(f"Op{index}") for index in range(number)]
        if number == 1 and self.choices.chance(70):
            operations = [(None, *operations[0][1:])]
        parts = [self._defined(*each) for each in operations]
        parts += [f"fragment {each.name} on {each.kind} {each.text}" for each in self.fragments.values()]
        if operations[0][0] is not None and self.values.definitions and self.choices.chance(30):
            # Another operation may call something else by the same name.
            other = next(iter(self.values.definitions))
            parts.append(f"query Else(${other}: Boolean!) {{ __typename @skip(if: ${other}) }}")
        if self.choices.chance(10):
            parts.reverse()
        name: str | None = self.choices.of([each[0] for each in operations])
        if self.values.wrong and self.choices.chance(6):
            name = self.choices.of((None, "Other"))
        return Asked("\n".join(parts), name, self.values.given, self.values.wrong)

    def selection(self, kind: Any, depth: int) -> Selected:
        """A selection set alone, for a document of the caller's own."""
        scope = Scope()
        text = self._selected(kind, depth, scope)
        fragments = " ".join(f"fragment {each.name} on {each.kind} {each.text}" for each in self.fragments.values())
        definitions = "".join(f", {self.values.definitions[each]}" for each in self._used(scope))
        return Selected(text, fragments, definitions, self.values.given)

    def _operation(self, name: str) -> tuple[str | None, str, Scope]:
        scope = Scope()
        depth = self.choices.of((2, 1, 3, 4, 2, 5))
        return name, self._selected(self.query, depth, scope), scope

    def _defined(self, name: str | None, text: str, scope: Scope) -> str:
        used = self._used(scope)
        if name is None and not used:
            return text if self.choices.chance(50) else f"query {text}"
        definitions = ", ".join(self.values.definitions[each] for each in used)
        return f"query{' ' + name if name else ''}{f'({definitions})' if used else ''} {text}"

    def _used(self, scope: Scope) -> list[str]:
        """The variables of an operation, those in its fragments too."""
        found, waiting, seen = dict(scope.variables), list(scope.spreads), set(scope.spreads)
        while waiting:
            fragment = self.fragments[waiting.pop()]
            found |= fragment.scope.variables
            waiting += [each for each in fragment.scope.spreads if each not in seen]
            seen |= set(fragment.scope.spreads)
        return list(found)

    def _selected(self, kind: Any, depth: int, scope: Scope) -> str:
        """A selection set on an object of the type."""
        most = 3 if self.left > 0 else 2
        parts = [self._part(kind, depth, scope) for _ in range(1 + self.choices.below(most))]
        return f"{{ {' '.join(parts)} }}"

    def _part(self, kind: Any, depth: int, scope: Scope) -> str:
        what = self.choices.below(100)
        if what >= 94:
            return self._named("__typename", "", "(): String!") + self._directives(scope)
        if what >= 86 and self.left > 0:
            return self._inline(kind, depth, scope)
        if what >= 76 and self.left > 0:
            return self._spread(kind, depth, scope)
        if what == 75 and kind is self.query and self.values.wrong:
            return self._named("__type", '(name: "Item")', "(): __Type") + " { name }"
        return self._field(kind, depth, scope)

    def _inline(self, kind: Any, depth: int, scope: Scope) -> str:
        condition = None if self.choices.chance(30) else self.choices.of(self._conditions(kind))
        on = f" on {condition.name}" if condition is not None else ""
        directives = self._directives(scope)
        return f"...{on}{directives} {self._selected(condition or kind, depth, scope)}"

    def _spread(self, kind: Any, depth: int, scope: Scope) -> str:
        names = [each.name for each in self._conditions(kind)]
        known = [each for each in self.fragments.values() if each.text and each.kind in names and each.depth <= depth]
        if known and self.choices.chance(50):
            fragment = self.choices.of(known)
        else:
            self.left -= 2
            condition = self.choices.of(self._conditions(kind))
            fragment = Fragment(f"F{len(self.fragments)}", condition.name, depth)
            self.fragments[fragment.name] = fragment
            fragment.text = self._selected(condition, depth, fragment.scope)
        scope.spreads[fragment.name] = None
        return f"...{fragment.name}{self._directives(scope)}"

    def _conditions(self, kind: Any) -> list[Any]:
        """The types that a fragment on an object of the type may be on."""
        if isinstance(kind, GraphQLInterfaceType):
            return [kind, *self.schema.get_possible_types(kind)]
        return [kind, *kind.interfaces]

    def _field(self, kind: Any, depth: int, scope: Scope) -> str:
        name = self._chosen(kind, depth)
        definition: GraphQLField = kind.fields[name]
        self.left -= 1
        key = self._again(name, _signature(definition), scope)
        if key is None:
            own = Scope()
            arguments = self.arguments.write(name, definition, own)
            key = self._named(name, arguments, _signature(definition))
            self.using[key.partition(":")[0].partition("(")[0]] = own.variables
            scope.variables |= own.variables
        inner: Any = get_named_type(definition.type)
        text = key + self._directives(scope)
        if is_leaf_type(inner):
            return text
        below = depth - 1 if _is_row(kind) or kind is self.query else depth
        return f"{text} {self._selected(inner, below, scope)}"

    def _chosen(self, kind: Any, depth: int) -> str:
        """A field of the type."""
        leaves: list[str] = [name for name, each in kind.fields.items() if is_leaf_type(get_named_type(each.type))]
        others: list[str] = [name for name in kind.fields if name not in leaves]
        if kind is self.query or not leaves:
            return self.choices.of(others)
        deep = bool(others) and self.left > 0 and (depth > 0 or not _is_row(kind))
        return self.choices.of(others if deep and self.choices.chance(50 if _is_row(kind) else 75) else leaves)

    def _again(self, name: str, signature: str, scope: Scope) -> str | None:
        """A field that is asked for elsewhere, with the same response name and arguments."""
        known = [key for key, (of, _, found) in self.names.items() if of == name and found == signature]
        if not known or not self.choices.chance(35):
            return None
        key = self.choices.of(known)
        scope.variables |= self.using.get(key, {})
        return _spelled(key, *self.names[key][:2])

    def _named(self, name: str, arguments: str, signature: str) -> str:
        """A field under a response name that can be merged with whatever else has it."""
        key, meaning = name, (name, arguments, signature)
        if self.choices.chance(15):
            key = self.choices.of(ALIASES)
        if self.names.get(key, meaning) != meaning:
            key = f"x{len(self.names)}"
        self.names[key] = meaning
        return _spelled(key, name, arguments)

    def _directives(self, scope: Scope) -> str:
        if not self.choices.chance(6):
            return ""
        parts = []
        for name in self.choices.of((("include",), ("skip",), ("skip", "include"), ("include", "skip"))):
            value = self.choices.chance(80) == (name == "include")
            condition = self.values.write(value, REQUIRED_BOOLEAN, scope, percent=60)
            parts.append(f" @{name}(if: {condition})")
        return "".join(parts)


def _signature(definition: GraphQLField) -> str:
    """What fields of one name must have in common to be merged."""
    return f"({','.join(definition.args)}): {definition.type}"


def _spelled(key: str, name: str, arguments: str) -> str:
    return f"{name}{arguments}" if key == name else f"{key}: {name}{arguments}"


def _is_row(kind: Any) -> bool:
    return isinstance(kind, GraphQLInterfaceType) or any(each.name == "Node" for each in _interfaces(kind))


def _interfaces(kind: Any) -> Iterable[Any]:
    found: Iterable[Any] = getattr(kind, "interfaces", ())
    return found
