"""Fixed paths beside one with a parameter: their last segment is no identifier, whatever the method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import httpx
import pytest

from gateway.app import create_app
from gateway.asgi.direct import Application
from gateway.settings import DEFAULT_MODULES, Settings
from rest.routes import rest_routes
from services.catalogue import Catalogue
from tests.support.accounts import Account
from tests.support.apps import client_from
from tests.support.faces import RestFace
from tests.support.factories import make_item

METHODS = ("GET", "HEAD", "QUERY", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE")
MODULES = [*DEFAULT_MODULES, "tests.support.foreign"]


def fixed_paths(modules: Sequence[str]) -> Iterator[tuple[str, set[str]]]:
    """Those of a catalogue beside `{id}`, each with the methods that are declared."""
    routes = list(rest_routes(Catalogue.load(modules)))
    for path in {each.path for each in routes}:
        beside = f"{path.rpartition('/')[0]}/{{id}}"
        if "{id}" not in path and any(each.path == beside for each in routes):
            methods = {each.method for each in routes if each.path == path}
            yield path, {*methods, *(["HEAD"] if "GET" in methods else [])}


PATHS = dict(sorted(fixed_paths(MODULES)))


@pytest.fixture(params=["direct", "framework"])
def unstarted(request: pytest.FixtureRequest, settings: Settings) -> Application:
    """The sample and a foreign resource, with and without the way past the framework; no database is needed."""
    found = create_app(settings.model_copy(update={"MODULES": MODULES}))
    assert isinstance(found, Application)
    if request.param == "framework":
        found.direct = {}
    return found


def test_paths_are_those_of_every_resource() -> None:
    assert set(PATHS) >= {
        "/users/me", "/items/batch", "/labels/batch", "/items/search", "/comments/search", "/labels/search",
        "/users/search", "/workspaces/search", "/memberships/search", "/sessions/search", "/api-keys/search",
        "/audit-events/search", "/milestones/search",
    }  # fmt: skip
    assert PATHS["/users/me"] == {"GET", "HEAD"}
    assert PATHS["/items/batch"] == PATHS["/milestones/search"] == {"POST"}


async def refuses(client: httpx.AsyncClient, path: str, methods: set[str]) -> None:
    """Every method but these is a 405 that names these."""
    allowed = ", ".join(sorted(methods))
    for method in (each for each in METHODS if each not in methods):
        answer = await client.request(method, f"/api/v1{path}", params={"include": "nope"})
        found = (method, path, answer.status_code, answer.headers["allow"], answer.headers["content-type"])
        assert found == (method, path, 405, allowed, "application/problem+json")
        if method != "HEAD":
            assert (answer.json()["code"], answer.json()["allow"]) == ("method_not_allowed", allowed)


async def test_methods_that_a_fixed_path_lacks_are_refused(unstarted: Application) -> None:
    async with client_from(unstarted) as client:
        for path, methods in PATHS.items():
            await refuses(client, path, methods)
            options = await client.options(f"/api/v1{path}")
            assert (options.status_code, set(options.headers["allow"].split(", "))) == (204, methods | {"OPTIONS"})


async def test_path_is_the_same_with_a_slash_behind_it(unstarted: Application) -> None:
    async with client_from(unstarted) as client:
        answer = await client.delete("/api/v1/items/batch/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_path_is_the_same_below_a_prefix_of_the_server_s(unstarted: Application) -> None:
    transport = httpx.ASGITransport(unstarted, root_path="/team")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        answer = await client.delete("/team/api/v1/items/batch")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/items/batches", "/items/me", "/items/Search", "/items/search%20"])
async def test_what_is_no_fixed_path_is_an_identifier(rest: RestFace, ada: Account, path: str) -> None:
    answer = rest.read(await rest.send("GET", path, ada))
    assert (answer.problem, answer.errors) == ("validation_failed", {"id": "format"})


async def test_refused_batch_does_nothing(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    for method in ("PATCH", "DELETE"):
        body = {"entries": [{"delete": {"id": item["id"]}}]}
        answer = await rest.client.request(method, "/api/v1/items/batch", json=body, headers=ada.headers)
        assert answer.status_code == 405
    assert (await rest.get(f"/items/{item['id']}", ada)) == item
