"""Manifests: what is wrong with them, and what of a document can be published."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest
from graphql import build_schema

from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.published.manifests import read_manifest
from graphql_schema.published.published import PublishedDocuments
from graphql_schema.schema.schema import build_schema as schema_of
from services.catalogue import Catalogue
from services.documents.publishing import UnpublishableDocumentError
from services.documents.registering import NewDocument, RefusedDocumentsError
from services.engine.gateway import Gateway
from tests.support.documents import ME, hash_of

FORMAT = {"format": "apollo-persisted-query-manifest", "version": 1}


@pytest.fixture(scope="module")
def documents(gateway: Gateway) -> DocumentCache:
    return DocumentCache(schema_of(gateway.catalogue)._schema, suggestions=False)


def refusal(content: bytes, documents: DocumentCache) -> Sequence[str]:
    with pytest.raises(RefusedDocumentsError) as refused:
        read_manifest(content, documents._schema, documents)
    return refused.value.sentences


BROKEN: dict[str, tuple[bytes, Sequence[str]]] = {
    "no JSON": (b"{", ["The manifest is not well-formed JSON in UTF-8."]),
    "no object": (b"[]", ["A manifest is a JSON object."]),
    "nothing in it": (b"{}", ["The manifest holds no documents."]),
    "format": (b'{"format": "x", "version": 1, "operations": []}',
        ["A manifest with a format is version 1 of apollo-persisted-query-manifest, with `operations`."]),
    "version": (b'{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}',
        ["A manifest with a format is version 1 of apollo-persisted-query-manifest, with `operations`."]),
    "operations": (b'{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [1]}',
        ["Each of `operations` is an object."]),
    "everything wrong is told": (
        orjson.dumps({
            "good": "query Good { me { id } }", "syntax": "query {", "unknown": "query U { zzz }", "empty": "",
            "value": 'query V { items(first: "x") { totalCount } }', "number": 1, "": "query E { me { id } }",
            "two": "query A { me { id } } query B { me { id } }", "none": "fragment F on User { id }",
            "sha256:x": "query S { me { id } }", "0" * 64: "query H { me { id } }",
            "much": "query M { items(first: 100) { nodes { comments(first: 100) { nodes { item { "
            "comments(first: 100) { nodes { id } } } } } } } }",
        }),
        [
            "syntax: Syntax Error: Expected Name, found <EOF>.",
            "unknown: Cannot query field 'zzz' on type 'Query'.",
            "empty: its document is not a text of at most 200,000 characters.",
            "value: Int cannot represent non-integer value: \"x\"",
            "number: its document is not a text of at most 200,000 characters.",
            "'': an identifier is 1 to 255 visible ASCII characters.",
            "two: its document has 2 operations, not one.",
            "none: Fragment 'F' is never used.",
            "sha256:x: the identifier is not the SHA-256 of the document.",
            f"{'0' * 64}: the identifier is not the SHA-256 of the document.",
            "much: The lists asked for could hold more than 20,000 rows.",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "sentences"), BROKEN.values(), ids=BROKEN)
def test_broken_manifest_is_refused_with_all_that_is_wrong(
    documents: DocumentCache, content: bytes, sentences: Sequence[str]
) -> None:
    assert list(refusal(content, documents)) == list(sentences)


def test_entry_that_is_not_what_it_says_is_refused(documents: DocumentCache) -> None:
    right = {"id": hash_of(ME), "name": "Me", "type": "query", "body": ME}
    again = [{"id": "same", "body": ME}, {"id": "same", "body": "query Other { me { id } }"}]
    operations = [right, {**right, "name": "You"}, {**right, "type": "mutation"}, *again]
    assert list(refusal(orjson.dumps({**FORMAT, "operations": operations}), documents)) == [
        f"You ({hash_of(ME)}): its document is the query Me.",
        f"Me ({hash_of(ME)}): its document is the query Me.",
        "Other (same): the identifier is there twice, with another text.",
    ]


def test_prefixed_and_repeated_identifiers_are_taken(documents: DocumentCache) -> None:
    operations = [{"id": f"sha256:{hash_of(ME)}", "body": ME}] * 2
    found = read_manifest(orjson.dumps({**FORMAT, "operations": operations}), documents._schema, documents)
    assert found == [NewDocument(f"sha256:{hash_of(ME)}", "Me", "query", ME)]


FOREIGN = """
type Query { grid(rows: [[Int]], price: Money, colour: Colour = RED, ratio: Float!, at: [At!]): Int }
scalar Money
enum Colour { RED GREEN }
input At { x: Int! }
"""


def foreign() -> PublishedDocuments:
    schema = build_schema(FOREIGN)
    return PublishedDocuments(schema, Catalogue([], []), DocumentCache(schema, suggestions=False))


def test_types_that_no_query_parameter_can_express_are_told() -> None:
    text = "query Grid($rows: [[Int]], $price: Money) { grid(rows: $rows, price: $price, ratio: 1) }"
    with pytest.raises(UnpublishableDocumentError) as unfit:
        foreign().description(text)
    assert unfit.value.sentences == (
        "$rows: [[Int]]: a list of lists cannot be written as query parameters.",
        "$price: Money: a Money cannot be written as a query parameter.",
    )


def test_other_types_are_parameters() -> None:
    text = "query Grid($c: Colour, $r: Float!, $at: [At!]) { grid(colour: $c, ratio: $r, at: $at) }"
    found = foreign().description(text).parameters
    assert [(each.name, each.kind.value, each.many, each.required, each.schema) for each in found] == [
        ("c", "text", False, False, {"type": "string", "enum": ["RED", "GREEN"]}),
        ("r", "number", False, True, {"type": "number", "format": "double"}),
        ("at", "json", True, False, {"type": "object"}),
    ]


@pytest.mark.parametrize(
    "text",
    ["{ grid(ratio: 1) }", "query A { grid(ratio: 1) } query B { grid(ratio: 1) }", "query A { nope }"],
)
def test_other_documents_cannot_be_published(text: str) -> None:
    with pytest.raises(UnpublishableDocumentError):
        foreign().description(text)
