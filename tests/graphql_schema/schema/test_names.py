"""Names that GraphQL has of its own."""

from __future__ import annotations

import pytest

from gateway.settings import DEFAULT_MODULES
from graphql_schema.schema.schema import build_schema
from services.catalogue import Call, Catalogue, DeclarationError, Resource, procedure
from tests.support.library import OPEN, Book, BookRead


def test_field_that_graphql_has_of_its_own_is_refused() -> None:
    node = Resource("node", model=Book, read=BookRead, prefix="bok", policy=OPEN)
    with pytest.raises(DeclarationError, match=r'get_node: its GraphQL field "node" is taken already\.'):
        build_schema(Catalogue([node], [node.get()]))


def test_field_of_files_in_forms_is_taken_where_they_are_switched_on() -> None:
    @procedure("upload", scope="")
    async def upload_file(call: Call) -> None:
        """Send a file in another way."""

    found = Catalogue.load(DEFAULT_MODULES)
    mine = Catalogue(found.resources.values(), [*found.operations.values(), upload_file])
    build_schema(mine)
    with pytest.raises(DeclarationError, match=r'upload_file: its GraphQL field "uploadFile" is taken already\.'):
        build_schema(mine, uploads=True)
