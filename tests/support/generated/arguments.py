"""Values for the arguments of fields: pages, filters, orders, searches, identifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import GraphQLField, GraphQLInputObjectType, get_named_type, is_list_type, is_non_null_type

from tests.support.generated.choices import Choices
from tests.support.generated.material import (
    INSTANTS,
    NOT_CURSORS,
    NOT_IDENTIFIERS,
    NOT_INSTANTS,
    SEARCHES,
    TEXTS,
    Material,
)
from tests.support.generated.variables import Scope, Values

_OWN_FILTERS: Final = ("and", "or", "not")
_PLAIN_TEXTS: Final = TEXTS[:-2]
_PLAIN_SEARCHES: Final = SEARCHES[:-2]


class Arguments:
    """Makes up arguments of fields as the schema has them."""

    def __init__(self, material: Material, values: Values, choices: Choices) -> None:
        self.material, self.values, self.choices = material, values, choices

    def write(self, name: str, definition: GraphQLField, scope: Scope) -> str:
        """The arguments of a field in parentheses, or nothing."""
        connection = get_named_type(definition.type).name
        if connection.endswith("Connection"):
            asked = self._list(connection.removesuffix("Connection"), definition)
        else:
            asked = self._identified(name, connection, definition)
        parts = [f"{each}: {self._value(value, definition.args[each].type, scope)}" for each, value in asked.items()]
        for each, argument in definition.args.items():
            if each not in asked and not is_non_null_type(argument.type) and self.choices.chance(4):
                parts.append(f"{each}: {self.values.absent(argument.type, scope)}")
        return f"({self.choices.of((', ', ' ', ',')).join(parts)})" if parts else ""

    def _value(self, value: Any, kind: Any, scope: Scope) -> str:
        return self.values.write(value, kind, scope, percent=30)

    def _identified(self, name: str, type_name: str, definition: GraphQLField) -> dict[str, Any]:
        """The arguments of `node`, `nodes`, and of fields that get one row."""
        if "ids" in definition.args:
            types = list(self.material.resources)
            return {"ids": [self.identifier(self.choices.of(types)) for _ in range(self.choices.below(5))]}
        if "id" not in definition.args:
            return {}
        types = list(self.material.resources) if type_name == "Node" else [type_name]
        return {"id": self.identifier(self.choices.of(types))}

    def identifier(self, type_name: str) -> str:
        """Mostly that of a row."""
        if self.choices.chance(12):
            return self.material.unknown(type_name)
        if self.values.wrong and self.choices.chance(8):
            return self.choices.of(NOT_IDENTIFIERS)
        return self.choices.of(self.material.identifiers(type_name))

    def _list(self, type_name: str, definition: GraphQLField) -> dict[str, Any]:
        found: dict[str, Any] = {}
        backward = self.choices.chance(25)
        if self.choices.chance(80):
            found["last" if backward else "first"] = self._size()
        if self.values.wrong and self.choices.chance(3):
            found["first" if backward else "last"] = self._size()
        order: list[dict[str, Any]] = []
        if self.choices.chance(35):
            found["orderBy"] = self._order(type_name, definition)
            order = found["orderBy"] or []
        if self.choices.chance(8 if backward else 20):
            found["after"] = self._cursor(type_name, order)
        if self.choices.chance(30 if backward else 5):
            found["before"] = self._cursor(type_name, order)
        if self.choices.chance(35):
            found["filter"] = None if self.choices.chance(3) else self.filter(definition.args["filter"].type, 1)
        if "search" in definition.args and self.choices.chance(12):
            found["search"] = self._search()
        return found

    def _size(self) -> int | None:
        if self.values.wrong and self.choices.chance(6):
            return self.choices.of((0, -1, 101))
        return self.choices.of((1, 2, 3, 2, 4, 5, 7, 20, None, 100))

    def _order(self, type_name: str, definition: GraphQLField) -> Any:
        if self.choices.chance(4):
            return None
        kind: Any = get_named_type(definition.args["orderBy"].type)
        fields = list(kind.fields["field"].type.of_type.values)
        if not self.values.wrong:
            chosen = list(dict.fromkeys(self.choices.several(fields, 3)))
        else:
            chosen = self.choices.several(fields, 6)
        return [self._by(each) for each in chosen]

    def _by(self, field: str) -> dict[str, Any]:
        found: dict[str, Any] = {"field": field}
        if self.choices.chance(60):
            found["direction"] = self.choices.of(
                ("DESC", "ASC", "DESC", None) if self.values.wrong else ("DESC", "ASC")
            )
        return found

    def _cursor(self, type_name: str, order: list[dict[str, Any]]) -> str | None:
        if self.choices.chance(4):
            return None
        if self.values.wrong and self.choices.chance(20):
            return self.choices.of(NOT_CURSORS)
        if self.values.wrong and self.choices.chance(15):
            return self.material.cursor(type_name, [("id", False)], self.choices)
        plain = [(each["field"].lower(), each.get("direction") == "DESC") for each in order]
        return self.material.cursor(type_name, plain, self.choices)

    def _search(self) -> str | None:
        return self.choices.of(SEARCHES if self.values.wrong else _PLAIN_SEARCHES)

    def filter(self, kind: Any, depth: int) -> dict[str, Any]:
        """Conditions, and filters within filters."""
        inner: GraphQLInputObjectType = get_named_type(kind)
        type_name = inner.name.removesuffix("Filter")
        names = [each for each in inner.fields if each not in _OWN_FILTERS]
        deepest = 5 + self.values.wrong
        own = _OWN_FILTERS if depth < min(deepest, 4) or (self.values.wrong and depth < deepest) else ()
        found: dict[str, Any] = {}
        # Below another filter, one without a condition may be refused.
        least = 0 if depth == 1 or self.values.wrong else 1
        for _ in range(max(least, self.choices.of((1, 1, 2, 0, 3)))):
            name = self.choices.of([*names, *own]) if own else self.choices.of(names)
            if name == "not":
                found[name] = self.filter(inner, depth + 1)
            elif name in own:
                size = max(least, self.choices.of((2, 1, 0, 3)))
                found[name] = [self.filter(inner, depth + 1) for _ in range(size)]
            else:
                found[name] = self._conditions(type_name, name, get_named_type(inner.fields[name].type))
        return found

    def _conditions(self, type_name: str, field: str, kind: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(max(0 if self.values.wrong else 1, self.choices.of((1, 1, 1, 2, 0)))):
            operator = self.choices.of(list(kind.fields))
            found[operator] = self._operand(type_name, field, operator, kind.fields[operator].type)
        return found

    def _operand(self, type_name: str, field: str, operator: str, kind: Any) -> Any:
        if self.values.wrong and self.choices.chance(4):
            return None
        if is_list_type(kind):
            return [
                self._one(type_name, field, get_named_type(kind).name) for _ in range(self.choices.of((2, 1, 0, 3)))
            ]
        if operator == "isNull":
            return self.choices.chance(50)
        if operator in ("contains", "startsWith"):
            return self._fragment(type_name, field)
        return self._one(type_name, field, get_named_type(kind).name)

    def _fragment(self, type_name: str, field: str) -> str:
        """A text, or a part of one that there is."""
        if self.choices.chance(50):
            return self._text()
        found = str(self.choices.of(self.material.values(type_name, field)))
        start = self.choices.below(len(found) or 1)
        return found[start : start + 1 + self.choices.below(4)]

    def _text(self) -> str:
        return self.choices.of(TEXTS if self.values.wrong else _PLAIN_TEXTS)

    def _one(self, type_name: str, field: str, scalar: str) -> Any:
        if self.choices.chance(80):
            return self.choices.of(self.material.values(type_name, field))
        wrong = self.values.wrong
        others: Mapping[str, Any] = {
            "String": TEXTS if wrong else _PLAIN_TEXTS,
            "DateTime": (*INSTANTS, *NOT_INSTANTS) if wrong else INSTANTS,
            "ID": (self.material.unknown(type_name), *NOT_IDENTIFIERS)
            if wrong
            else (self.material.unknown(type_name),),
            "Int": (-1, 2**31 - 1, 5),
            "Boolean": (True, False),
        }
        return self.choices.of(others.get(scalar) or self.material.values(type_name, field))
