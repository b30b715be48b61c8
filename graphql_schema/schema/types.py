"""The object types of the catalogue's resources and results."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

from graphql_schema.schema.building import annotation, attribute, field, nullable, object_type
from graphql_schema.schema.context import Info
from graphql_schema.schema.lists import ConnectionValue, connection_type, list_parameters, parse_list_arguments
from services.catalogue import Catalogue, Relation, ResultModel
from services.catalogue.deprecation import deprecations_of
from services.catalogue.models import description_of, fields_of
from services.catalogue.naming import ETAG, pascal, words
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType
from services.queries.limits import Limits
from services.queries.lists import Page, Record
from services.queries.versions import tag_of_record


@strawberry.interface(description="Something with an identifier, which `node` finds (Relay).")
class Node:
    """Relay's Node. `record` is the row that the fields are read from."""

    record: strawberry.Private[Record]
    id = attribute("id", strawberry.ID, "Its identifier, the same everywhere.", lambda node: node.record["id"])


class Types:
    """Makes the types once, and wraps records in them."""

    def __init__(self, catalogue: Catalogue, limits: Limits) -> None:
        self.catalogue, self.limits = catalogue, limits
        self.classes: dict[Resource[Any], Any] = {
            each: type(pascal(each.name), (Node,), {}) for each in catalogue.resources.values()
        }
        self.connections = {resource: connection_type(resource, cls) for resource, cls in self.classes.items()}
        for resource, cls in self.classes.items():
            fields = [*_attributes(resource), *(self._relation(each) for each in resource.relations.values())]
            object_type(pascal(resource.name), resource.description, fields, cls)

    def wrap(self, resource: Resource[Any], record: Record | None) -> Any:
        """A record as an object of its type."""
        return None if record is None else self.classes[resource](record=record)

    def wrap_page(self, resource: Resource[Any], page: Page, total: Callable[[], Any]) -> ConnectionValue:
        """A page as a connection; `total` counts the whole list when it is asked for."""
        return ConnectionValue(page, [self.wrap(resource, record) for record in page.records], total)

    def _relation(self, relation: Relation) -> StrawberryField:
        target = relation.target
        what = words(relation.name)
        if not relation.many:

            async def one(node: Node, info: Info, values: dict[str, Any]) -> Any:
                loaders, key = info.context.loaders, node.record[relation.local]
                readable = loaders.allow(target)
                return None if key is None else self.wrap(target, await loaders.row(readable, key))

            description = f"The {what}; null if there is none, or if it is not readable."
            return field(relation.name, nullable(self.classes[target]), description, one)

        async def many(node: Node, info: Info, values: dict[str, Any]) -> ConnectionValue:
            loaders, key = info.context.loaders, node.record["id"]
            readable = loaders.allow(target)
            arguments = parse_list_arguments(target, values, self.limits)
            page, whole = await loaders.page(readable, relation, key, arguments), arguments.whole()
            return self.wrap_page(target, page, lambda: loaders.count(readable, relation, key, whole))

        return field(
            relation.name, nullable(self.connections[target]), f"The {what}, a page at a time.", many,
            list_parameters(target, self.limits),
        )  # fmt: skip


def _attributes(resource: Resource[Any]) -> list[StrawberryField]:
    words = (
        "Its entity tag, which changes with whatever is shown of it: REST's `ETag`, and what `expectedVersion` takes."
    )
    if "version" in resource.fields:
        words += " The field `version` is another thing."
    deprecated = deprecations_of(resource.read)
    fields = [
        attribute(
            name, annotation(kind, stored=True), resource.describe(name), partial(_of_record, resource, name, kind),
            deprecated=deprecated.get(name),
        )
        for name, kind in resource.fields.items()
    ]  # fmt: skip
    return [*fields, attribute(ETAG, str, words, lambda node: tag_of_record(resource, node.record))]


def _of_record(resource: Resource[Any], name: str, kind: FieldType, node: Node) -> Any:
    shown = resource.serialise(name, node.record[name])
    if kind.enum is None or shown is None:
        return shown
    # As the members, of which graphql-core makes the names.
    return [each and kind.enum(each) for each in shown] if kind.many else kind.enum(shown)


@cache
def result_type(model: type[ResultModel]) -> Any:
    """Return the object type of a result model."""
    fields = []
    for name, kind in fields_of(model).items():
        # Enums as the members, of which graphql-core makes the names.
        read = result_reader(name, kind, None if kind.enum is not None else kind.serialiser())
        fields.append(attribute(name, annotation(kind), description_of(model, name), read))
    return object_type(model.__name__, " ".join((model.__doc__ or "").split()), fields)


def result_reader(name: str, kind: FieldType, serialise: Callable[[Any], Any] | None) -> Callable[[ResultModel], Any]:
    """Return a function that reads a value of a result model, and serialises it if it is not null."""

    def read(result: ResultModel) -> Any:
        value = getattr(result, name)
        if value is None or serialise is None:
            return value
        return [serialise(each) for each in value] if kind.many else serialise(value)

    return read
