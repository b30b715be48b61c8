"""Requests to REST's reading routes, and the GraphQL selections that say the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from graphql_schema.schema.naming import root_field_name
from rest.routes import RestRoute, rest_routes
from services.catalogue import Catalogue
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from tests.support.faces import graphql_filter
from tests.support.generated.choices import Choices
from tests.support.generated.material import SEARCHES, TEXTS, Material

Tree = dict[str, "Tree"]
"""Relations by name, with the relations below them."""


@dataclass
class RestAsked:
    """A GET: the route, the row, what is included, which fields are wanted, and how the list is asked for."""

    route: RestRoute
    id: str | None
    include: Tree = field(default_factory=dict)
    fields: dict[str, list[str]] = field(default_factory=dict)
    """By the path of a relation, `""` for the rows themselves."""
    listed: dict[str, Any] = field(default_factory=dict)
    """`limit`, `after`, `before`, `sort`, `filter`, `q` and `count`, as values."""
    bracketed: bool = False

    @property
    def path(self) -> str:
        """Below the API's prefix."""
        return self.route.path.replace("{id}", self.id or "")

    @property
    def query(self) -> str:
        """The query string."""
        given: dict[str, Any] = {}
        if self.include:
            given["include"] = [*_paths(self.include, "")]
        if self.fields:
            given["fields"] = [
                f"{path}.{name}" if path else name for path, names in self.fields.items() for name in names
            ]
        for name, value in self.listed.items():
            given |= self._parameter(name, value)
        return "&".join(f"{quote_plus(name)}={_encoded(value)}" for name, value in given.items())

    def _parameter(self, name: str, value: Any) -> dict[str, Any]:
        if name == "filter" and self.bracketed:
            return {f"{each}[{operator}]": v for each, asked in value.items() for operator, v in asked.items()}
        return {name: json.dumps(value) if name == "filter" else value}

    def document(self) -> str:
        """The query that asks for the same."""
        route, resource = self.route, self.route.resource
        assert resource is not None
        arguments = _arguments(resource, self.listed) if route.is_list else ""
        selected = self._selected(resource, self.include, "")
        listed = self._listed(selected, count=bool(self.listed.get("count")))
        identified = f"(id: {json.dumps(self.id)})" if self.id is not None else ""
        if route.relation is not None:
            below = f"{camel(route.relation.name)}{arguments} {listed}"
            return f"{{ found: {camel(route.relation.source.name)}{identified} {{ found: {below} }} }}"
        assert route.operation is not None
        below = listed if route.is_list else selected
        return f"{{ found: {root_field_name(route.operation)}{identified}{arguments} {below} }}"

    def _listed(self, selected: str, *, count: bool) -> str:
        total = "totalCount" if count else ""
        return f"{{ nodes {selected} pageInfo {{ hasNextPage endCursor }} {total} }}"

    def _selected(self, resource: Resource[Any], tree: Tree, path: str) -> str:
        parts = [camel(name) for name in self._wanted(resource, path)]
        for name, below in tree.items():
            relation = resource.relations[name]
            inner = self._selected(relation.target, below, f"{path}.{name}" if path else name)
            parts.append(f"{camel(name)} {self._listed(inner, count=False) if relation.many else inner}")
        return f"{{ {' '.join(parts)} }}"

    def _wanted(self, resource: Resource[Any], path: str) -> list[str]:
        return [name for name in resource.fields if path not in self.fields or name in self.fields[path]]

    def as_rest(self, data: Any) -> Any:
        """GraphQL's answer to the document, as REST shows it."""
        found = data["found"]
        if found is not None and self.route.relation is not None:
            found = found["found"]
        resource = self.route.resource
        assert resource is not None
        return self._page(resource, self.include, "", found) if self.route.is_list else self._row(
            resource, self.include, "", found
        )  # fmt: skip

    def _page(self, resource: Resource[Any], tree: Tree, path: str, value: Any) -> Any:
        about = value["pageInfo"]
        page = {"has_next": about["hasNextPage"], "next": about["endCursor"] if about["hasNextPage"] else None}
        if "totalCount" in value:
            page["total"] = value["totalCount"]
        return {"data": [self._row(resource, tree, path, each) for each in value["nodes"]], "page": page}

    def _row(self, resource: Resource[Any], tree: Tree, path: str, value: Any) -> Any:
        if value is None:
            return None
        found: dict[str, Any] = {}
        for name in self._wanted(resource, path):
            each = value[camel(name)]
            found[name] = each.lower() if resource.fields[name].enum is not None and each is not None else each
        for name, below in tree.items():
            relation, inner = resource.relations[name], f"{path}.{name}" if path else name
            show = self._page if relation.many else self._row
            found[name] = show(relation.target, below, inner, value[camel(name)])
        return found


def _paths(tree: Tree, prefix: str) -> list[str]:
    found = []
    for name, below in tree.items():
        found += _paths(below, f"{prefix}{name}.") if below else [f"{prefix}{name}"]
    return found


def _encoded(value: Any) -> str:
    """A value in a query string; the entries of a list are encoded before they are joined."""
    if isinstance(value, (list, tuple)):
        return ",".join(_encoded(each) for each in value)
    return quote_plus(str(value).lower() if isinstance(value, bool) else str(value))


def _arguments(resource: Resource[Any], listed: Mapping[str, Any]) -> str:
    parts = []
    names = {"limit": "last" if "before" in listed and "after" not in listed else "first", "q": "search"}
    for name, value in listed.items():
        if name == "sort":
            parts.append(f"orderBy: [{', '.join(_order(each) for each in value)}]")
        elif name == "filter":
            parts.append(f"filter: {_literal(resource, graphql_filter(resource, value))}")
        elif name != "count":
            parts.append(f"{names.get(name, name)}: {json.dumps(value)}")
    return f"({', '.join(parts)})" if parts else ""


def _order(text: str) -> str:
    return f"{{field: {text.removeprefix('-').upper()}, direction: {'DESC' if text[0] == '-' else 'ASC'}}}"


def _literal(resource: Resource[Any], value: Any, of: str = "") -> str:
    """A filter in GraphQL's syntax; `of` is the field whose values are meant."""
    if isinstance(value, Mapping):
        names = {camel(each): each for each in resource.fields}
        inner = [f"{name}: {_literal(resource, each, names.get(name, of))}" for name, each in value.items()]
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(resource, each, of) for each in value)}]"
    enum = of and resource.fields[of].enum is not None and isinstance(value, str)
    return value if enum else json.dumps(value)


class RestRequests:
    """Makes requests up."""

    def __init__(self, catalogue: Catalogue, material: Material) -> None:
        self.material = material
        self.routes = [each for each in rest_routes(catalogue) if each.method == "GET" and each.resource is not None]

    def make(self, choices: Choices) -> RestAsked:
        """One request."""
        route = choices.of(self.routes)
        resource = route.resource
        assert resource is not None
        asked = RestAsked(route, self._identifier(route, choices))
        self._include(resource, asked.include, choices.of((1, 2, 0, 3)), choices)
        if choices.chance(50):
            self._fields(asked, resource, asked.include, "", choices)
        if route.is_list:
            asked.listed = self._listed(resource, choices)
            asked.bracketed = _fits_brackets(asked.listed.get("filter")) and choices.chance(60)
        return asked

    def _identifier(self, route: RestRoute, choices: Choices) -> str | None:
        if "{id}" not in route.path:
            return None
        source = route.relation.source if route.relation is not None else route.resource
        assert source is not None
        name = pascal(source.name)
        return self.material.unknown(name) if choices.chance(8) else choices.of(self.material.identifiers(name))

    def _include(self, resource: Resource[Any], tree: Tree, depth: int, choices: Choices) -> None:
        if depth == 0 or not resource.relations:
            return
        for name in choices.several(list(resource.relations), 2):
            self._include(resource.relations[name].target, tree.setdefault(name, {}), depth - 1, choices)

    def _fields(self, asked: RestAsked, resource: Resource[Any], tree: Tree, path: str, choices: Choices) -> None:
        if choices.chance(70):
            chosen = [choices.of(list(resource.fields)) for _ in range(1 + choices.below(4))]
            asked.fields[path] = list(dict.fromkeys(chosen))
        for name, below in tree.items():
            inner = f"{path}.{name}" if path else name
            self._fields(asked, resource.relations[name].target, below, inner, choices)

    def _listed(self, resource: Resource[Any], choices: Choices) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if choices.chance(70):
            found["limit"] = choices.of((1, 2, 3, 5, 20, 100, 2, 3, 4, 7, 0, 101))
        if choices.chance(40):
            names = list(dict.fromkeys(choices.several([*resource.sorts, "id"], 3)))
            if names:
                found["sort"] = [f"-{name}" if choices.chance(50) else name for name in names]
        for name in [each for each in ("after", "before") if choices.chance(18)]:
            order = [(each.removeprefix("-"), each[0] == "-") for each in found.get("sort", [])]
            other = [("id", False)] if choices.chance(10) else order
            found[name] = self.material.cursor(pascal(resource.name), other, choices)
        if choices.chance(40):
            found["filter"] = self._filter(resource, choices.of((1, 2, 3)), choices)
        if resource.search and choices.chance(12):
            found["q"] = choices.of(SEARCHES[:-2])
        if choices.chance(25):
            found["count"] = True
        return found

    def _filter(self, resource: Resource[Any], depth: int, choices: Choices) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(choices.of((1, 2, 1, 3))):
            if depth > 1 and choices.chance(30):
                name = choices.of(("not", "and", "or"))
                inner = [self._filter(resource, depth - 1, choices) for _ in range(choices.of((2, 1, 3)))]
                found[name] = inner[0] if name == "not" else inner
            else:
                name = choices.of(resource.filters)
                operator = choices.of(resource.fields[name].operators)
                found[name] = {operator.value: self._operand(resource, name, operator, choices)}
        return found

    def _operand(self, resource: Resource[Any], name: str, operator: Operator, choices: Choices) -> Any:
        values: Sequence[Any] = [
            row[name] for row in self.material.rows[pascal(resource.name)] if row[name] is not None
        ]
        if operator is Operator.IS_NULL:
            return choices.chance(50)
        if operator in (Operator.CONTAINS, Operator.STARTS_WITH):
            return choices.of((*TEXTS[1:-2], str(choices.of(values))[:3]))
        if operator in (Operator.IN, Operator.NOT_IN):
            return [choices.of(values) for _ in range(choices.of((2, 1, 3)))]
        return choices.of(values)


def _fits_brackets(tree: Mapping[str, Any] | None) -> bool:
    """Whether a filter can be said without JSON."""
    return tree is not None and not set(tree) & {"and", "or", "not"}
