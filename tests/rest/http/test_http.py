"""REST over HTTP: statuses, methods, addresses, media types."""

from __future__ import annotations

import httpx
import pytest

from services.catalogue import Kind
from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.factories import make_item, make_label, unknown_id


async def test_created_row_is_at_its_location(rest: RestFace, ada: Account) -> None:
    answer = await rest.send("POST", "/items", ada, content=b'{"title": "Wheel"}')
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/items/{answer.json()['id']}"
    found = await rest.client.get(answer.headers["location"], headers=ada.headers)
    assert found.json() == answer.json()


async def test_deletion_has_no_content(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    answer = await rest.send("DELETE", f"/items/{item['id']}", ada)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await rest.send("DELETE", f"/items/{item['id']}", ada)).status_code == 404


@pytest.mark.parametrize("path", ["/items/", "/users/me/", "/items/{id}/", "/items/{id}/comments/"])
async def test_trailing_slash_is_accepted_without_a_redirect(rest: RestFace, ada: Account, path: str) -> None:
    address = path.replace("{id}", (await make_item(rest, ada))["id"])
    answers = [await rest.send("GET", each, ada) for each in (address, address.rstrip("/"))]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


async def test_trailing_slash_on_a_write(rest: RestFace, ada: Account) -> None:
    assert (await rest.send("POST", "/items/", ada, content=b'{"title": "Wheel"}')).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/items", {"GET", "HEAD", "POST"}),
        ("PUT", "/items", {"GET", "HEAD", "POST"}),
        ("POST", "/items/{id}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("GET", "/items/{id}/archive", {"POST"}),
        ("POST", "/items/{id}/comments", {"GET", "HEAD"}),
        ("POST", "/users/me", {"GET", "HEAD"}),
        ("GET", "/auth/login", {"POST"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
    ],
)
async def test_method_that_is_not_there_is_405_with_all_that_are(
    rest: RestFace, ada: Account, method: str, path: str, allowed: set[str]
) -> None:
    answer = await rest.send(method, path.replace("{id}", unknown_id("itm")), ada)
    assert rest.read(answer).problem == "method_not_allowed"
    assert answer.status_code == 405
    assert {each.strip() for each in answer.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize("path", ["/nope", "/items/x/y/z", "/", "", "//items", "/items//comments", "/../items/nope"])
async def test_address_that_is_not_there_is_not_found(rest: RestFace, ada: Account, path: str) -> None:
    answer = rest.read(await rest.send("GET", path, ada))
    assert (answer.problem, answer.status) == ("not_found", 404)


async def test_head_is_get_without_the_body(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    for path in ("/items", f"/items/{item['id']}", "/users/me"):
        get, head = await rest.send("GET", path, ada), await rest.send("HEAD", path, ada)
        assert head.status_code == get.status_code == 200
        for name in ("content-type", "content-length", "link"):
            assert head.headers.get(name) == get.headers.get(name)
    assert (await rest.send("HEAD", f"/items/{unknown_id('itm')}", ada)).status_code == 404


async def test_patch_is_a_merge_patch(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada, description="Of brass", priority=3)
    body = b'{"description": null, "title": "Lever"}'
    for media_type in ("application/merge-patch+json", "application/json"):
        answer = await rest.send("PATCH", f"/items/{item['id']}", ada, content=body, media_type=media_type)
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["title"], shown["description"], shown["priority"]) == ("Lever", None, 3)


@pytest.mark.parametrize(
    ("method", "media_type"),
    [
        ("POST", "text/plain"),
        ("POST", "application/x-www-form-urlencoded"),
        ("POST", "application/merge-patch+json"),
        ("POST", "multipart/form-data; boundary=x"),
        ("POST", ""),
        ("PATCH", "application/json-patch+json"),
        ("PATCH", "text/plain"),
    ],
)
async def test_other_media_types_are_refused(rest: RestFace, ada: Account, method: str, media_type: str) -> None:
    item = await make_item(rest, ada)
    path = "/items" if method == "POST" else f"/items/{item['id']}"
    answer = await rest.send(method, path, ada, content=b'{"title": "Changed"}', media_type=media_type)
    assert rest.read(answer).problem == "unsupported_media_type"
    assert answer.status_code == 415
    assert (await rest.get("/items", ada))["data"] == [item]


async def test_charset_and_case_of_the_media_type_do_not_matter(rest: RestFace, ada: Account) -> None:
    body = b'{"title": "Wheel"}'
    for media_type in ("application/json; charset=utf-8", "Application/JSON"):
        assert (await rest.send("POST", "/items", ada, content=body, media_type=media_type)).status_code == 201


async def test_empty_body_is_an_empty_object(rest: RestFace, ada: Account) -> None:
    answer = rest.read(await rest.send("POST", "/items", ada))
    assert (answer.problem, answer.errors) == ("validation_failed", {"title": "required"})
    item = await make_item(rest, ada)
    assert (await rest.send("POST", f"/items/{item['id']}/archive", ada)).status_code == 200


@pytest.mark.parametrize("body", [b'{"nope": 1}', b"null", b"[]", b"{"])
async def test_body_of_an_action_without_input_is_checked_too(rest: RestFace, ada: Account, body: bytes) -> None:
    item = await make_item(rest, ada)
    answer = rest.read(await rest.send("POST", f"/items/{item['id']}/archive", ada, content=body))
    assert answer.status in (400, 422)
    assert await rest.ok("get_item", ada, id=item["id"]) == item


async def test_every_operation_that_needs_an_actor_says_so(rest: RestFace, client: httpx.AsyncClient) -> None:
    for operation in rest.catalogue.operations.values():
        if operation.scope is not None:
            prefix = operation.resource.prefix if operation.resource else "usr"
            answer = await rest.call(operation.name, None, None if operation.is_read else {}, id=unknown_id(prefix))
            assert (operation.name, answer.problem) == (operation.name, "unauthenticated")


async def test_every_list_answers_with_a_page(rest: RestFace, ada: Account) -> None:
    await make_label(rest, ada)
    for operation in rest.catalogue.operations.values():
        if operation.kind is Kind.LIST:
            found = await rest.get(f"/{operation.address}", ada, limit="1", count="true")
            assert set(found) == {"data", "page"}
            assert set(found["page"]) == {"has_next", "next", "total"}


@pytest.mark.parametrize("path", ["/items/%7Bid%7D", "/items/%7Bid%7D/", "/items/%7Bid%7D/labels"])
async def test_name_of_a_parameter_is_no_identifier(rest: RestFace, ada: Account, path: str) -> None:
    answer = rest.read(await rest.send("GET", path, ada))
    assert (answer.problem, answer.errors) == ("validation_failed", {"id": "format"})


async def test_methods_that_are_allowed_come_in_a_fixed_order(rest: RestFace, ada: Account) -> None:
    answer = await rest.send("PUT", "/items", ada)
    assert (answer.status_code, answer.headers["allow"], answer.json()["allow"]) == (405, *["GET, HEAD, POST"] * 2)


@pytest.mark.parametrize("levels", [250, 900])
async def test_body_that_is_nested_too_deeply_is_told_so(rest: RestFace, ada: Account, levels: int) -> None:
    nested = b'{"title": ' + b"[" * levels + b"]" * levels + b"}"
    answer = await rest.send("POST", "/items", ada, content=nested)
    assert (answer.status_code, answer.json()["detail"]) == (400, "The body is nested too deeply.")
