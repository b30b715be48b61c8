"""The OpenAPI document: complete, consistent, and kept fresh."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import httpx
import pytest

from rest.openapi.document import openapi_document
from rest.routes import METHODS, rest_routes
from services.catalogue import Kind
from services.engine.gateway import Gateway
from tests.support.contract import resolved
from tests.support.programs import ROOT

KEPT = ROOT / "rest" / "openapi.json"
PREFIX = "/api/v1"


@pytest.fixture(scope="module")
def document(gateway: Gateway) -> dict[str, Any]:
    """The document of the whole catalogue, as JSON has it."""
    made = openapi_document(
        gateway.catalogue, title="Hybrid Gateway", version=version("hybrid-gateway"), prefix=PREFIX
    )  # fmt: skip
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def values(tree: Any, key: str) -> Iterator[Any]:
    """Every value under this key, anywhere."""
    if isinstance(tree, dict):
        for name, each in tree.items():
            if name == key and isinstance(each, str):
                yield each
            yield from values(each, key)
    elif isinstance(tree, list):
        for each in tree:
            yield from values(each, key)


async def test_document_is_served(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"3\.1\.\d+", answer.json()["openapi"])


async def test_served_document_is_the_one_of_the_catalogue(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    assert (await client.get("/api/v1/openapi.json")).json()["paths"] == document["paths"]


def test_every_operation_is_there_with_its_problems(gateway: Gateway, document: dict[str, Any]) -> None:
    missing = []
    for operation in gateway.catalogue.operations.values():
        shown = document["paths"][f"{PREFIX}/{operation.address}"][METHODS[operation.kind].lower()]
        for problem in operation.problems:
            response = resolved(document, shown["responses"].get(str(problem.status), {}))
            examples = response.get("content", {}).get("application/problem+json", {}).get("examples", {})
            if problem.code not in examples:
                missing.append((operation.name, problem.code))
        assert shown["description"] == operation.description
        assert shown["summary"]
    assert missing == []


def test_nothing_else_is_there(gateway: Gateway, document: dict[str, Any]) -> None:
    expected = {(f"{PREFIX}{route.path}", route.method.lower()) for route in rest_routes(gateway.catalogue)}
    expected |= {(f"{PREFIX}/files/{{id}}/content", method) for method in ("get", "head", "put")}
    assert {(path, method) for path, method, _ in operations(document)} == expected


def test_operation_ids_are_unique_and_good_names(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z][a-zA-Z0-9]+", name)] == []
    assert {"listItems", "createItem", "getItem", "archiveItem", "login", "me", "listItemComments"} <= set(names)


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    for reference in set(values(document, "$ref")):
        found: Any = document
        assert reference.startswith("#/")
        for step in reference[2:].split("/"):
            assert step in found, reference
            found = found[step]


async def test_document_is_small_enough_for_explorers(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    assert len((await client.get("/api/v1/openapi.json")).content) < 350_000
    assert len(document["paths"][f"{PREFIX}/items"]["get"]["parameters"]) <= 20


def test_references_and_parameters_are_those_that_generators_read(document: dict[str, Any]) -> None:
    assert [each for each in values(document, "$ref") if each.count("/") != 3] == []
    parameters = document["components"]["parameters"]
    assert [name for name, each in parameters.items() if "schema" not in each or "content" in each] == []
    text = parameters["item.filter"]["schema"]
    reference = {"$ref": "#/components/schemas/ItemFilter"}
    assert (text["type"], text["contentMediaType"], text["contentSchema"]) == ("string", "application/json", reference)


def test_inputs_have_no_defaults(gateway: Gateway, document: dict[str, Any]) -> None:
    """Many generators make a member with one required."""
    schemas = document["components"]["schemas"]
    inputs = {each.input.__name__ for each in gateway.catalogue.operations.values() if each.input is not None}
    assert [name for name in inputs if any("default" in each for each in schemas[name]["properties"].values())] == []
    assert schemas["ItemCreate"]["required"] == ["title"]
    assert schemas["ItemCreate"]["properties"]["status"]["description"] == "The state of the item. `open` if left out."


def test_relations_end_after_one_step(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Item"]["properties"]["comments"]["$ref"] == "#/components/schemas/RelatedCommentList"
    for name in (each for each in schemas if each.startswith("Related")):
        found = {each.rpartition("/")[2] for each in values(schemas[name], "$ref")}
        assert found <= {name.removesuffix("List"), "PageInfo", "Role", "ItemStatus", "FileState"}, name


def test_every_component_is_used(document: dict[str, Any]) -> None:
    used = set(values(document, "$ref"))
    unused = [
        name
        for kind in ("schemas", "parameters", "responses", "headers", "examples")
        for each in document["components"][kind]
        if (name := f"#/components/{kind}/{each}") not in used
    ]
    assert unused == []


def test_path_parameters_are_declared(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        given = [resolved(document, each) for each in operation["parameters"]]
        declared = {each["name"] for each in given if each["in"] == "path"}
        assert (path, method, declared) == (path, method, set(re.findall(r"\{(\w+)\}", path)))


def test_every_parameter_has_a_description_and_is_given_once(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        found = [resolved(document, each) for each in operation["parameters"]]
        assert [each["name"] for each in found if not each.get("description")] == []
        names = [(each["name"], each["in"]) for each in found]
        assert len(names) == len(set(names)), (path, method)


def test_security_names_the_scope_of_every_operation(gateway: Gateway, document: dict[str, Any]) -> None:
    offered = document["components"]["securitySchemes"]["oauth2"]["flows"]["password"]["scopes"]
    assert set(offered) == set(gateway.catalogue.scopes)
    for operation in gateway.catalogue.operations.values():
        shown = document["paths"][f"{PREFIX}/{operation.address}"][METHODS[operation.kind].lower()]["security"]
        scopes = [operation.scope] if operation.scope else []
        expected = [] if operation.scope is None else [{"oauth2": scopes}, {"bearer": []}]
        assert (operation.name, shown) == (operation.name, expected)


def test_bodies_are_where_the_operation_takes_input(gateway: Gateway, document: dict[str, Any]) -> None:
    for operation in gateway.catalogue.operations.values():
        shown = document["paths"][f"{PREFIX}/{operation.address}"][METHODS[operation.kind].lower()]
        assert ("requestBody" in shown) == (operation.input is not None)
        if operation.kind is Kind.UPDATE:
            assert set(shown["requestBody"]["content"]) == {"application/json", "application/merge-patch+json"}


def test_kept_document_is_fresh(document: dict[str, Any]) -> None:
    """Mend it by `gateway export openapi > rest/openapi.json`."""
    kept = json.loads(KEPT.read_text())
    for each in (kept, made := {**document, "info": dict(document["info"])}):
        each["info"].pop("version")
    assert kept == made


def test_the_bytes_of_files_are_described(document: dict[str, Any]) -> None:
    content = document["paths"][f"{PREFIX}/files/{{id}}/content"]
    names = {
        method: {resolved(document, each)["name"] for each in shown["parameters"]} for method, shown in content.items()
    }
    link = {"id", "expires", "signature"}
    assert names["put"] == link | {"Content-Range"}
    assert names["head"] == link | {"If-Match", "If-None-Match"}
    assert names["get"] == names["head"] | {"Range", "If-Range"}
    assert "application/octet-stream" in content["put"]["requestBody"]["content"]
    assert {"204", "408", "416"} <= set(content["put"]["responses"])
    assert {"200", "206", "304", "416"} <= set(content["get"]["responses"])
    assert "Content-Range" in content["get"]["responses"]["206"]["headers"]
    assert "Upload-Offset" in content["head"]["responses"]["204"]["headers"]
    content = document["paths"][f"{PREFIX}/files"]["post"]["requestBody"]["content"]
    form = resolved(document, content["multipart/form-data"]["schema"])
    assert form["required"] == ["file"]
    assert set(form["properties"]) == {"workspace_id", "name", "size", "sha256", "media_type", "file"}


def test_fields_of_a_form_are_never_null(document: dict[str, Any]) -> None:
    form = document["components"]["schemas"]["FileForm"]
    assert "null" not in json.dumps(form)
    assert form["properties"]["sha256"]["pattern"] == "^[0-9a-f]{64}$"
