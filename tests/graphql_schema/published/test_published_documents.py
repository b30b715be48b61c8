"""Trusted documents published as REST endpoints: parameters, answers, problems, and OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from graphql import build_schema

from gateway.documents import DocumentEndpoints
from gateway.settings import Settings
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.published.published import PublishedDocuments
from graphql_schema.schema.schema import build_schema as schema_of_gateway
from rest.openapi.documents import with_documents
from services.catalogue import Catalogue, DeclarationError
from services.catalogue.problems import NOT_FOUND
from services.documents.operations import published_documents
from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.asgi import observed
from tests.support.documents import document, forget_all, register
from tests.support.factories import make_item, unknown_id

BOARD = """query Board(
  $first: Int = 2, $statuses: [ItemStatus!] = [OPEN, IN_PROGRESS, DONE], $words: String, $all: Boolean = true
) {
  items(first: $first, filter: {status: {in: $statuses}}, search: $words, orderBy: [{field: TITLE}]) {
    nodes { title status ...More @include(if: $all) }
  }
}
fragment More on Item { labels { nodes { name } } }"""
BY_ID = "query ItemById($key: ID!) { item(id: $key) { id title } me { username } }"
FILTERED = """query Filtered($where: ItemFilter!, $since: DateTime = "2000-01-01T00:00:00Z") {
  items(filter: $where) { nodes { title createdAt } }
  more: items(filter: {createdAt: {gte: $since}}) { totalCount }
}"""
TITLED = "query Titled($title: String) { items(filter: {title: {eq: $title}}) { totalCount } }"
LABELS = "query Labels { labels { nodes { name } } }"
NODE = "query Anything($id: ID!) { node(id: $id) { id ... on Item { title } ... on Label { name } } }"
STATUSES = ["OPEN", "IN_PROGRESS", "DONE", "ARCHIVED"]
PUBLISHED = {
    "Board": BOARD,
    "ItemById": BY_ID,
    "Filtered": FILTERED,
    "Labels": LABELS,
    "Anything": NODE,
    "Titled": TITLED,
}


@pytest.fixture(scope="module", params=["any", "trusted"])
async def own(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """An application with published documents, in either mode."""
    async with running(settings.model_copy(update={"GRAPHQL_DOCUMENTS": request.param})) as found:
        documents = [document(text, name) for name, text in PUBLISHED.items()]
        await register(found, *documents, document("query Private { me { id } }", "Private"), publish=(*PUBLISHED,))
        yield found
        await forget_all(found)


@pytest.fixture
async def ada(own: Running) -> Account:
    return await sign_up(own.client)


async def get(own: Running, name: str, account: Account | None = None, **params: Any) -> httpx.Response:
    """One request to a published document; a list is sent value by value."""
    headers = account.headers if account else {}
    return await own.client.get(f"/api/v1/documents/{name}", params=params, headers=headers)


def problem(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, code, and the fields at fault with their codes."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"], [(each["field"], each["code"]) for each in body.get("errors", [])]


async def test_answer_is_the_documents_data(own: Running, ada: Account) -> None:
    rest = own.face("rest")
    for title in ("Axle", "Brake", "Cog"):
        await make_item(rest, ada, title=title)
    titles = [each["title"] for each in (await get(own, "Board", ada)).json()["items"]["nodes"]]
    assert titles == ["Axle", "Brake"]
    answer = await get(own, "Board", ada, first=1, statuses=["OPEN", "DONE"], words="cog", all="false")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"items": {"nodes": [{"title": "Cog", "status": "OPEN"}]}}
    none = await get(own, "Board", ada, statuses="ARCHIVED")
    assert none.json() == {"items": {"nodes": []}}


async def test_input_objects_are_json(own: Running, ada: Account) -> None:
    item = await make_item(own.face("rest"), ada, title="Axle")
    answer = await get(own, "Filtered", ada, where='{"title": {"eq": "Axle"}}', since=item["created_at"])
    assert answer.json()["items"]["nodes"] == [{"title": "Axle", "createdAt": item["created_at"]}]
    assert answer.json()["more"]["totalCount"] == 1


WRONG: dict[str, tuple[str, dict[str, Any], list[tuple[str, str]]]] = {
    "no integer": ("Board", {"first": "x"}, [("first", "type")]),
    "empty": ("Board", {"first": ""}, [("first", "type")]),
    "float": ("Board", {"first": "1.5"}, [("first", "type")]),
    "too long": ("Board", {"first": "9" * 5000}, [("first", "range")]),
    "out of bounds": ("Board", {"first": "0"}, [("first", "range")]),
    "boolean": ("Board", {"all": "yes"}, [("all", "type")]),
    "choice": ("Board", {"statuses": ["OPEN", "open"]}, [("statuses[1]", "choice")]),
    "several": ("Board", {"first": "x", "all": "1"}, [("first", "type"), ("all", "type")]),
    "twice": ("Board", {"first": ["1", "2"]}, [("first", "conflict")]),
    "unknown": ("Board", {"last": "1", "skip": "2"}, [("last", "unknown"), ("skip", "unknown")]),
    "missing": ("ItemById", {}, [("key", "required")]),
    "identifier": ("ItemById", {"key": "itm_x"}, [("key", "format")]),
    "no JSON": ("Filtered", {"where": "{"}, [("where", "type")]),
    "no object": ("Filtered", {"where": "1"}, [("where", "type")]),
    "inside": ("Filtered", {"where": '{"priority": {"gte": "x"}, "no": 1}'},
        [("where.priority.gte", "type"), ("where.no", "unknown")]),
    "judged by the services": ("Filtered", {"where": '{"createdAt": {"lt": "now"}}'},
        [("where.createdAt.lt", "format")]),
    "inside of the document": ("Filtered", {"where": "{}", "since": "yesterday"}, [("since", "format")]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "params", "fields"), WRONG.values(), ids=WRONG)
async def test_wrong_parameter_is_named(
    own: Running, ada: Account, name: str, params: dict[str, Any], fields: list[tuple[str, str]]
) -> None:
    assert problem(await get(own, name, ada, **params)) == (422, "validation_failed", fields)


async def test_deep_and_malformed_query_strings_are_bad_requests(own: Running, ada: Account) -> None:
    deep = '{"and": [' * 60 + "]}" * 60
    assert problem(await get(own, "Filtered", ada, where=deep))[:2] == (400, "bad_request")
    answer = await own.client.get("/api/v1/documents/Board?words=%ff", headers=ada.headers)
    assert problem(answer)[:2] == (400, "bad_request")
    many = ["OPEN"] * 101
    assert problem(await get(own, "Board", ada, statuses=many)) == (
        422,
        "validation_failed",
        [("statuses", "length")],
    )


async def test_caller_is_looked_at_before_the_values(own: Running) -> None:
    for text in ("1", "x"):
        answer = await get(own, "Board", first=text)
        assert problem(answer) == (401, "unauthenticated", [])
        assert answer.headers["www-authenticate"].startswith("Bearer")
    bad = await own.client.get("/api/v1/documents/Board", headers={"Authorization": "Bearer x"})
    assert problem(bad)[:2] == (401, "invalid_token")


async def test_insufficient_scope_is_forbidden(own: Running) -> None:
    limited = await sign_up(own.client, scope="labels:read")
    assert (await get(own, "Labels", limited)).status_code == 200
    for params in ({}, {"first": "x"}):
        answer = await get(own, "Board", limited, **params)
        assert problem(answer)[:2] == (403, "insufficient_scope")
        assert answer.json()["scope"] == "items:read"
        assert 'scope="items:read"' in answer.headers["www-authenticate"]


async def test_partial_failure_is_a_problem_with_its_path_and_without_data(own: Running, ada: Account) -> None:
    answer = await get(own, "ItemById", ada, key=unknown_id("itm"))
    assert problem(answer) == (404, "not_found", [])
    assert answer.json() == {
        "type": "/problems/not_found", "title": NOT_FOUND.title, "status": 404, "code": "not_found",
        "detail": NOT_FOUND.title, "path": ["item"],
    }  # fmt: skip
    eve = await sign_up(own.client)
    hers = await make_item(own.face("rest"), eve)
    assert problem(await get(own, "ItemById", ada, key=hers["id"]))[0] == 404
    assert (await get(own, "ItemById", eve, key=hers["id"])).json()["me"] == {"username": eve.username}


@pytest.mark.parametrize("name", ["Nothing", "Private", "board", "Board%00", "..%2fme", "é"])
async def test_name_that_is_not_published_is_not_found(own: Running, ada: Account, name: str) -> None:
    assert problem(await get(own, name, ada))[:2] == (404, "not_found")


async def test_number_is_the_same_with_zeros_before_it(own: Running, ada: Account) -> None:
    plain, padded = [await get(own, "Board", ada, first=each) for each in ("1", "0" * 20 + "1")]
    assert (padded.status_code, padded.json()) == (200, plain.json())
    for other in ("-1", "-" + "0" * 20 + "1", "9" * 30):
        assert problem(await get(own, "Board", ada, first=other))[:2] == (422, "validation_failed")


@pytest.mark.parametrize("text", ["1.0", "1e0", "0.1e1"])
async def test_number_is_an_integer_however_it_is_written(own: Running, ada: Account, text: str) -> None:
    assert (await get(own, "Board", ada, first=text)).json() == (await get(own, "Board", ada, first="1")).json()
    assert problem(await get(own, "Board", ada, first="1.5"))[2] == [("first", "type")]
    await make_item(own.face("rest"), ada, priority=2, due_at=None)
    where = '{"priority": {"eq": 2.0}}'
    assert len((await get(own, "Filtered", ada, where=where)).json()["items"]["nodes"]) == 1


async def test_operand_that_is_left_out_is_named_by_its_parameter(own: Running, ada: Account) -> None:
    await make_item(own.face("rest"), ada)
    assert problem(await get(own, "Titled", ada)) == (422, "validation_failed", [("title", "required")])
    assert (await get(own, "Titled", ada, title="Wheel")).json() == {"items": {"totalCount": 1}}


async def test_accept_counts(own: Running, ada: Account) -> None:
    headers = {**ada.headers, "Accept": "text/html"}
    answer = await own.client.get("/api/v1/documents/Board", headers=headers)
    assert problem(answer)[:2] == (406, "not_acceptable")


async def test_methods_are_those_of_a_read(own: Running, ada: Account) -> None:
    address = "/api/v1/documents/Board"
    head = await own.client.head(address, headers=ada.headers)
    assert (head.status_code, head.content) == (200, b"")
    answer = await own.client.post(address, headers=ada.headers)
    assert problem(answer)[:2] == (405, "method_not_allowed")
    assert {each.strip() for each in answer.headers["allow"].split(",")} == {"GET", "HEAD"}


async def test_it_is_one_statement_and_has_an_access_line(own: Running, ada: Account, settings: Settings) -> None:
    for _ in range(3):
        await get(own, "Board", ada)
    with observed() as seen:
        await get(own, "Board", ada)
    (line,) = seen
    assert (line.operation, line.actor) == ("list_items", ada.id)
    if settings.COMPILED_READS:
        assert (line.path, line.statements) == ("compiled", 1)


async def test_openapi_has_it_while_it_is_published(own: Running) -> None:
    paths = (await own.client.get("/api/v1/openapi.json")).json()["paths"]
    assert {each.rsplit("/", 1)[1] for each in paths if "/documents/" in each} == set(PUBLISHED)
    board = paths["/api/v1/documents/Board"]["get"]
    text = "The variable `$%s`, of type `%s`."
    statuses = {"type": "string", "enum": ["OPEN", "IN_PROGRESS", "DONE", "ARCHIVED"]}
    assert board["parameters"] == [
        {"name": "first", "in": "query", "required": False, "description": text % ("first", "Int"),
         "schema": {"type": "integer", "format": "int32", "default": 2}},
        {"name": "statuses", "in": "query", "required": False, "description": text % ("statuses", "[ItemStatus!]"),
         "schema": {"type": "array", "items": statuses, "maxItems": 100, "default": ["OPEN", "IN_PROGRESS", "DONE"]},
         "style": "form", "explode": True},
        {"name": "words", "in": "query", "required": False, "description": text % ("words", "String"),
         "schema": {"type": "string"}},
        {"name": "all", "in": "query", "required": False, "description": text % ("all", "Boolean"),
         "schema": {"type": "boolean", "default": True}},
    ]  # fmt: skip
    assert board["security"] == [{"oauth2": ["items:read"]}, {"bearer": []}]
    assert {"200", "401", "403", "422"} <= set(board["responses"])
    where = paths["/api/v1/documents/Filtered"]["get"]["parameters"][0]
    json_text = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"type": "object"}}
    assert (where["required"], where["schema"]) == (True, json_text)


DEFAULTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "zero": ("Int = 0", "items(first: $x) { totalCount }", {"type": "integer", "format": "int32", "default": 0}),
    "never null": ("Int! = 7", "items(first: $x) { totalCount }", {"type": "integer", "format": "int32", "default": 7}),
    "null": ("Int = null", "items(first: $x) { totalCount }", {"type": "integer", "format": "int32"}),
    "empty text": ('String = ""', "items(search: $x) { totalCount }", {"type": "string", "default": ""}),
    "no": ("Boolean = false", "items @include(if: $x) { totalCount }", {"type": "boolean", "default": False}),
    "number as identifier": ("ID = 5", "item(id: $x) { id }", {"type": "string", "default": "5"}),
    "choice": (
        "ItemStatus = DONE", "items(filter: {status: {eq: $x}}) { totalCount }",
        {"type": "string", "enum": STATUSES, "default": "DONE"}),
    "list": (
        "[ItemStatus!] = [OPEN, DONE]", "items(filter: {status: {in: $x}}) { totalCount }",
        {"type": "array", "items": {"type": "string", "enum": STATUSES}, "maxItems": 100, "default": ["OPEN", "DONE"]}),
    "value for a list": (
        "[ItemStatus!]! = OPEN", "items(filter: {status: {in: $x}}) { totalCount }",
        {"type": "array", "items": {"type": "string", "enum": STATUSES}, "maxItems": 100, "default": ["OPEN"]}),
    "object": (
        "ItemFilter = {status: {in: DONE}, title: {eq: null}, and: [{priority: {gte: 1}}]}",
        "items(filter: $x) { totalCount }",
        {"type": "string", "contentMediaType": "application/json", "contentSchema": {"type": "object"},
         "default": '{"status":{"in":["DONE"]},"title":{"eq":null},"and":[{"priority":{"gte":1}}]}'}),
    "objects": (
        "[ItemOrder!] = [{field: TITLE, direction: DESC}]", "items(orderBy: $x) { totalCount }",
        {"type": "array", "items": {"type": "string"}, "maxItems": 100,
         "default": ['{"field":"TITLE","direction":"DESC"}']}),
}  # fmt: skip


@pytest.fixture(scope="module")
def runner(gateway: Gateway) -> PublishedDocuments:
    core = schema_of_gateway(gateway.catalogue)._schema
    return PublishedDocuments(core, gateway.catalogue, DocumentCache(core, suggestions=False))


@pytest.mark.parametrize(("declared", "used", "schema"), DEFAULTS.values(), ids=DEFAULTS)
def test_openapi_has_the_defaults_of_variables(
    runner: PublishedDocuments, declared: str, used: str, schema: dict[str, Any]
) -> None:
    described = runner.description(f"query Q($x: {declared}) {{ {used} }}")
    documented = with_documents({"tags": [], "paths": {}}, [described], "/api/v1")
    (parameter,) = documented["paths"]["/api/v1/documents/Q"]["get"]["parameters"]
    assert (parameter["schema"], parameter["required"]) == (schema, False)


async def test_openapi_says_what_comes_back(own: Running) -> None:
    paths = (await own.client.get("/api/v1/openapi.json")).json()["paths"]
    answer = paths["/api/v1/documents/Anything"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    members = {"id": {"type": "string"}, "title": {"type": "string"}, "name": {"type": "string"}}
    assert answer == {
        "type": "object", "required": ["node"],
        "properties": {"node": {"type": ["object", "null"], "properties": members, "required": ["id"]}},
    }  # fmt: skip
    board = paths["/api/v1/documents/Board"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    row = board["properties"]["items"]["properties"]["nodes"]["items"]
    assert row["required"] == ["title", "status"]
    assert set(row["properties"]) == {"title", "status", "labels"}


async def test_openapi_is_as_before_once_nothing_is_published(settings: Settings, client: httpx.AsyncClient) -> None:
    async with running(settings) as other:
        await register(other, document(LABELS, "Labels"), publish=("Labels",))
        assert "/api/v1/documents/Labels" in (await other.client.get("/api/v1/openapi.json")).json()["paths"]
        ada = await sign_up(other.client)
        assert (await get(other, "Labels", ada)).status_code == 200
        await forget_all(other)
        assert (await other.client.get("/api/v1/openapi.json")).json() == other.app.openapi()
        assert problem(await get(other, "Labels", ada))[0] == 404


async def test_it_is_served_where_the_module_is(settings: Settings) -> None:
    modules = [each for each in settings.MODULES if each != "services.documents"]
    async with running(settings.model_copy(update={"MODULES": modules})) as other:
        await register(other, document(LABELS, "Labels"), publish=("Labels",))
        ada = await sign_up(other.client)
        assert (await get(other, "Labels", ada)).status_code == 404
        assert other.gateway.catalogue.seams
        await forget_all(other)


def test_resource_at_the_same_address_stops_the_start_and_is_told_the_mend(gateway: Gateway) -> None:
    mine = replace(gateway.catalogue.operations["get_item"], address="documents/{id}")
    seams = [published_documents]
    catalogue = Catalogue(gateway.catalogue.resources.values(), [mine], seams)
    schema = build_schema("type Query { a: Int }")
    runner = PublishedDocuments(schema, catalogue, DocumentCache(schema, suggestions=False))
    with pytest.raises(DeclarationError, match="is that of published documents") as raised:
        DocumentEndpoints(catalogue, runner, "/api/v1")
    assert "leave services.documents out of MODULES" in str(raised.value)
    assert DocumentEndpoints(Catalogue(gateway.catalogue.resources.values(), [mine]), runner, "/api/v1").routes == []
