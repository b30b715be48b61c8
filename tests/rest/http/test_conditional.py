"""Conditional requests to the letter (RFC 9110, section 13): what browsers, caches and programs rely on."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from gateway.settings import Settings
from rest.http.conditional import expected_of
from services.catalogue import Problem
from services.engine.gateway import Gateway
from services.queries.versions import ANY, LENGTH, UNTAGGED, Preconditions, Tags, tag_of
from tests.support.accounts import Account, sign_up
from tests.support.apps import running
from tests.support.faces import RestFace
from tests.support.factories import Row, make_comment, make_item
from tests.support.state import unchanged

STALE: Final = f'"{"A" * LENGTH}"'
KEPT: Final = {"cache-control": "private, no-cache", "vary": "Authorization, X-API-Key"}


@pytest.fixture
async def item(rest: RestFace, ada: Account) -> Row:
    """An item with a comment."""
    made = await make_item(rest, ada, "Wheel")
    await make_comment(rest, ada, made)
    return made


READS: Final = (
    "/items/{id}", "/items/{id}?fields=title", "/items/{id}?include=comments", "/items", "/items?fields=id&count=true",
    "/items/{id}/comments", "/users/me",
)  # fmt: skip


@pytest.mark.parametrize("path", READS)
async def test_what_the_caller_has_is_not_sent_again(rest: RestFace, ada: Account, item: Row, path: str) -> None:
    path = path.replace("{id}", item["id"])
    first = await rest.send("GET", path, ada)
    tag = first.headers["etag"]
    assert (first.status_code, tag) == (200, f'"{tag_of(first.content)}"')
    assert KEPT.items() <= first.headers.items()
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            again = await rest.send(method, path, ada, headers={"If-None-Match": given})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), given
            varies = again.headers["vary"].removesuffix(", Accept-Encoding")  # as that of a longer one would have
            assert KEPT.items() <= {**again.headers, "vary": varies}.items()
            assert not {"content-type", "content-length", "link", "last-modified"} & set(again.headers)


@pytest.mark.parametrize("path", READS)
async def test_what_the_caller_has_not_is_sent(rest: RestFace, ada: Account, item: Row, path: str) -> None:
    path = path.replace("{id}", item["id"])
    first = await rest.send("GET", path, ada)
    # Dates are ignored where there are tags, and where there are none: there is no Last-Modified.
    dated = {
        "If-Modified-Since": "Fri, 31 Dec 2100 23:59:59 GMT",
        "If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT",
    }
    for given in ({"If-None-Match": STALE}, {"If-None-Match": ""}, {"If-None-Match": STALE, **dated}, dated):
        again = await rest.send("GET", path, ada, headers=given)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["etag"] == first.headers["etag"]


async def test_list_has_another_tag_when_a_row_in_it_has(rest: RestFace, ada: Account, item: Row) -> None:
    lists = ("/items", "/items/{id}/comments?include=item".replace("{id}", item["id"]))
    before = [(await rest.send("GET", path, ada)).headers["etag"] for path in lists]
    await rest.ok("update_item", ada, {"title": "Changed"}, id=item["id"])
    for path, tag in zip(lists, before, strict=True):
        answer = await rest.send("GET", path, ada, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["etag"] == tag) == (200, False)


async def test_if_match_of_a_read_comes_before_if_none_match(rest: RestFace, ada: Account, item: Row) -> None:
    path, tag = f"/items/{item['id']}", f'"{await rest.version("get_item", ada, item["id"])}"'
    statuses = {
        (tag, STALE): 200, (tag, tag): 304, (STALE, tag): 412, (STALE, STALE): 412, ("*", "*"): 304, ("", STALE): 412,
        (f"W/{tag}", STALE): 412,
    }  # fmt: skip
    for (match, none_match), status in statuses.items():
        headers = {"If-Match": match, "If-None-Match": none_match}
        assert (await rest.send("GET", path, ada, headers=headers)).status_code == status, headers


async def test_conditions_are_nothing_to_who_may_not_read(
    rest: RestFace, ada: Account, eve: Account, item: Row
) -> None:
    path, tag = f"/items/{item['id']}", f'"{await rest.version("get_item", ada, item["id"])}"'
    for headers in ({"If-None-Match": tag}, {"If-None-Match": "*"}, {"If-Match": STALE}):
        assert (await rest.send("GET", path, eve, headers=headers)).status_code == 404
        refused = await rest.send("GET", path, None, headers=headers)
        assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
        assert "etag" not in refused.headers


async def test_write_says_which_version_it_has_made(rest: RestFace, ada: Account) -> None:
    made = await rest.send("POST", "/items", ada, content=b'{"title": "Wheel"}')
    path = made.headers["location"].removeprefix("/api/v1")
    for method, below, body in (
        ("PATCH", "", b'{"title": "Brass wheel"}'), ("PATCH", "?fields=title", b'{"title": "Wheel"}'),
        ("POST", "/archive?include=comments", b""),
    ):  # fmt: skip
        read = await rest.send("GET", path, ada)
        assert made.headers["etag"] == read.headers["etag"]
        assert made.headers["cache-control"] == "no-store"
        assert "@etag" not in made.text
        made = await rest.send(method, path + below, ada, content=body, headers={"If-Match": made.headers["etag"]})
        assert made.status_code == 200
    assert made.json()["comments"]["data"] == []
    gone = await rest.send("DELETE", path, ada, headers={"If-Match": f"{STALE}, {made.headers['etag']}"})
    assert (gone.status_code, "etag" in gone.headers) == (204, False)


@pytest.mark.parametrize(
    ("name", "shown", "status"),
    [
        ("If-Match", "W/{tag}", 412), ("If-Match", "{tag}, W/{tag}", 200), ("If-Match", "", 412),
        ("If-Match", '"*"', 412), ("If-None-Match", "*", 412), ("If-None-Match", "W/{tag}", 412),
        ("If-None-Match", STALE, 200), ("If-None-Match", "", 200), ("If-Match", STALE.replace("A", "\u00e4"), 412),
    ],
)  # fmt: skip
async def test_conditions_of_a_write(
    rest: RestFace, gateway: Gateway, ada: Account, item: Row, name: str, shown: str, status: int
) -> None:
    path, tag = f"/items/{item['id']}", f'"{await rest.version("get_item", ada, item["id"])}"'
    given: Any = {name: shown.replace("{tag}", tag).encode("latin-1")}
    answer = await rest.send("PATCH", path, ada, content=b'{"title": "Changed"}', headers=given)
    assert answer.status_code == status
    assert (await rest.get(path, ada))["title"] == ("Changed" if status == 200 else "Wheel")


MALFORMED: Final = ("abc", '"a', 'a"', '"a" "b"', '*, "a"', 'w/"a"', '"a", b', "**", "'a'", '"a"b', 'W/ "a"')


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
async def test_what_is_no_list_of_tags_is_refused(
    rest: RestFace, gateway: Gateway, ada: Account, item: Row, name: str
) -> None:
    async with unchanged(gateway):
        for value in MALFORMED:
            for method, path in (("GET", "/items"), ("PATCH", f"/items/{item['id']}"), ("POST", "/items")):
                body = None if method == "GET" else b'{"title": "Changed"}'
                answer = rest.read(await rest.send(method, path, ada, content=body, headers={name: value}))
                assert (answer.problem, answer.status) == ("bad_request", 400), value
                assert answer.members
                assert answer.members["detail"].startswith(f"{name} must be ")


async def test_what_is_added_to_a_list_has_no_version(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    """The list is there, with a version that nobody can name; below `auth` nothing is."""
    tag = (await rest.send("GET", "/items", ada)).headers["etag"]
    async with unchanged(gateway):
        for headers in ({"If-Match": tag}, {"If-Match": STALE}, {"If-None-Match": "*"}):
            answer = await rest.send("POST", "/items", ada, content=b'{"title": "Wheel"}', headers=headers)
            assert answer.status_code == 412
    for headers in ({"If-Match": "*"}, {"If-None-Match": tag}):
        answer = await rest.send("POST", "/items", ada, content=b'{"title": "Wheel"}', headers=headers)
        assert answer.status_code == 201
    login = orjson.dumps({"username": ada.username, "password": ada.password})
    for headers, status in (({"If-Match": "*"}, 412), ({"If-None-Match": "*"}, 200)):
        assert (await rest.send("POST", "/auth/login", None, content=login, headers=headers)).status_code == status


LISTS: Final[list[tuple[list[bytes], Tags]]] = [
    ([b'"a"'], frozenset("a")),
    ([b'"a"', b'"b"'], frozenset("ab")),
    ([b' ,, "a"\t,,"b" , '], frozenset("ab")),
    ([b'"a,b"'], frozenset({"a,b"})),
    ([b'""'], frozenset({""})),
    ([b""], frozenset()),
    ([b" * "], ANY),
    ([b'"*"'], frozenset("*")),
    ([b'"a-gzip"'], frozenset({"a-gzip"})),
    ([b'"\xff"'], frozenset({"\xff"})),
]


@pytest.mark.parametrize(("given", "tags"), LISTS)
def test_lists_of_tags(given: list[bytes], tags: Tags) -> None:
    for name, expected in (
        (b"if-match", Preconditions(match=tags)),
        (b"if-none-match", Preconditions(none_match=tags)),
    ):
        assert expected_of([(b"accept", b"*/*"), *((name, each) for each in given)]) == expected
    assert expected_of([(b"accept", b"*/*")]) is None


def test_long_lists_are_read_in_no_time() -> None:
    """As long as a server takes; what is not linear would not end."""
    for value in (b'"a",' * 20_000, b"," * 80_000 + b"x", b'"' * 80_001, b'W/"' * 30_000, b'"a" ' * 20_000):
        try:
            expected_of([(b"if-match", value)])
        except Problem as problem:
            assert problem.type.code == "bad_request"  # noqa: PT017 - one of them is right


def test_no_tag_is_that_of_a_list_that_something_is_added_to() -> None:
    with pytest.raises(Problem):
        expected_of([(b"if-match", f'"{UNTAGGED}"'.encode())])


async def test_pages_of_other_origins_may_read_tags(settings: Settings) -> None:
    page = {"Origin": "https://app.example"}
    async with running(settings.model_copy(update={"BACKEND_CORS_ORIGINS": [page["Origin"]]})) as found:
        rest, ada = RestFace(found.client, found.gateway.catalogue), await sign_up(found.client)
        shown = await rest.send("GET", "/items", ada, headers=page)
        again = await rest.send("GET", "/items", ada, headers={**page, "If-None-Match": shown.headers["etag"]})
        for answer, status in ((shown, 200), (again, 304)):
            exposed = answer.headers.get_list("access-control-expose-headers")
            assert (answer.status_code, exposed[-1]) == (status, "ETag")
        refused = await rest.send("GET", "/items", None, headers=page)
        assert "ETag" not in refused.headers["access-control-expose-headers"]
        asked = {**page, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
        allowed = await rest.send("OPTIONS", "/items/x", None, headers=asked)
        assert (allowed.status_code, allowed.headers["access-control-allow-headers"]) == (200, "if-match")
