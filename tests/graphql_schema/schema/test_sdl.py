"""The schema: introspection, descriptions on everything, and the kept SDL."""

from __future__ import annotations

from collections.abc import Iterator

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_introspection_query,
    is_introspection_type,
    is_specified_scalar_type,
)

from graphql_schema.schema.schema import build_schema
from services.engine.gateway import Gateway
from tests.support.faces import GraphQLFace
from tests.support.programs import ROOT

KEPT = ROOT / "graphql_schema" / "schema.graphql"


def _schema(gateway: Gateway, *, uploads: bool = False) -> strawberry.Schema:
    return build_schema(gateway.catalogue, uploads=uploads)


async def test_introspection_works_for_everybody(graphql: GraphQLFace) -> None:
    body = await graphql.run(get_introspection_query(descriptions=True))
    assert "errors" not in body
    names = {each["name"] for each in body["data"]["__schema"]["types"]}
    assert {"Query", "Mutation", "Node", "Item", "ItemConnection", "ItemFilter", "CreateItemInput", "PageInfo"} <= names


def _described(name: str, kind: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    """A type and everything in it, with its description."""
    yield name, kind.description
    if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)):
        for field, each in kind.fields.items():
            yield f"{name}.{field}", each.description
            yield from ((f"{name}.{field}({key})", argument.description) for key, argument in each.args.items())
    elif isinstance(kind, GraphQLInputObjectType):
        yield from ((f"{name}.{key}", member.description) for key, member in kind.fields.items())
    elif isinstance(kind, GraphQLEnumType):
        yield from ((f"{name}.{key}", value.description) for key, value in kind.values.items())


def test_everything_has_a_description(gateway: Gateway) -> None:
    bare = [
        place
        for name, kind in _schema(gateway, uploads=True)._schema.type_map.items()
        if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
        for place, description in _described(name, kind)
        if not description
    ]
    assert bare == []


def test_every_operation_is_a_root_field(gateway: Gateway) -> None:
    schema = _schema(gateway)._schema
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    reads = sum(each.is_read for each in gateway.catalogue.operations.values())
    assert len(schema.query_type.fields) == reads + len(("node", "nodes"))
    assert len(schema.mutation_type.fields) == len(gateway.catalogue.operations) - reads


def test_seams_are_root_fields_that_no_operation_has(gateway: Gateway) -> None:
    without, with_uploads = (_schema(gateway, uploads=each)._schema for each in (False, True))
    assert without.mutation_type is not None
    assert with_uploads.mutation_type is not None
    more = set(with_uploads.mutation_type.fields) - set(without.mutation_type.fields)
    listed = {each.address.split()[0] for each in gateway.catalogue.seams if each.face == "graphql"}
    assert more == listed == {"uploadFile"}
    assert set(with_uploads.type_map) - set(without.type_map) == {"Upload", "UploadFileInput", "UploadFilePayload"}


def test_kept_schema_is_fresh(gateway: Gateway) -> None:
    """Mend it by `gateway export graphql > graphql_schema/schema.graphql`."""
    assert KEPT.read_text() == _schema(gateway).as_str() + "\n"
