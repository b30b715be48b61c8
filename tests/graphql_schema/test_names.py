"""Names that GraphQL has of its own."""

from __future__ import annotations

import pytest

from graphql_schema.schema import build_schema
from services.catalogue import Catalogue, DeclarationError, Resource
from tests.support.library import OPEN, Book, BookRead


def test_field_that_graphql_has_of_its_own_is_refused() -> None:
    node = Resource("node", model=Book, read=BookRead, prefix="bok", policy=OPEN)
    with pytest.raises(DeclarationError, match=r'get_node: its GraphQL field "node" is taken already\.'):
        build_schema(Catalogue([node], [node.get()]))
