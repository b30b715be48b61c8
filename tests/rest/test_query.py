"""The grammar of query strings."""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.faces import RestFace
from tests.support.factories import make_comment, make_item
from tests.support.lists import links

ROWS = {
    "a": {"title": "Alpha", "status": "open", "priority": 0, "due_at": "2030-01-01T00:00:00Z"},
    "b": {"title": "Beta, gamma", "status": "done", "priority": 1},
    "c": {"title": "C & D = 100%", "status": "open", "priority": 2, "due_at": "2030-03-01T00:00:00Z"},
}


@pytest.fixture(scope="module")
async def owner(client: httpx.AsyncClient, gateway: Gateway) -> Account:
    """Somebody with the items of ROWS."""
    face, account = RestFace(client, gateway.catalogue), await sign_up(client)
    for row in ROWS.values():
        await make_item(face, account, **row)  # type: ignore[arg-type]
    return account


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abc"),
        ("status=open", "ac"),
        ("status[eq]=open", "ac"),
        ("status%5Beq%5D=open", "ac"),
        ("status[ne]=open", "b"),
        ("status[in]=open&status[in]=done", "abc"),
        ("status[in]=open,in_progress&status%5Bin%5D=archived", "ac"),
        ("status[not_in]=open&status[not_in]=archived", "b"),
        ("status[in]=open,done", "abc"),
        ("status[not_in]=open,archived", "b"),
        ("priority=1", "b"),
        ("priority[gte]=1&priority[lt]=2", "b"),
        ("due_at[is_null]=true", "b"),
        ("due_at[is_null]=false", "ac"),
        ("due_at[gte]=2030-01-01T01:00:00%2B01:00", "ac"),
        ("due_at[gt]=2030-02-01T00:00:00Z", "c"),
        ("title=Beta%2C+gamma", "b"),
        ("title[contains]=%26", "c"),
        ("title[starts_with]=al", "a"),
        ("status=open&priority=2", "c"),
        ("filter=" + quote('{"priority": 1}'), "b"),
        ("filter=" + quote('{"or": [{"priority": 1}, {"title": {"contains": "%"}}]}'), "bc"),
        ("filter=" + quote('{"or": [{"priority": 0}, {"priority": 1}]}') + "&status=open", "a"),
        ("filter=" + quote('{"status": "done"}') + "&status=open", ""),
        ("q=alpha", "a"),
        ("q=alpha&status=done", ""),
    ],
)
async def test_query_finds(rest: RestFace, owner: Account, query: str, expected: str) -> None:
    found = await rest.get(f"/items?{query}", owner)
    titles = {row["title"]: letter for letter, row in ROWS.items()}
    assert "".join(sorted(titles[row["title"]] for row in found["data"])) == expected


async def test_sort_and_skip(rest: RestFace, owner: Account) -> None:
    found = await rest.get("/items?sort=status,-priority&limit=1&skip=1&count=true", owner)
    assert [row["title"] for row in found["data"]] == [ROWS["a"]["title"]]
    assert (found["page"]["has_next"], found["page"]["total"]) == (True, 3)
    assert (await rest.get("/items?skip=3", owner))["data"] == []


async def test_a_list_may_come_as_its_parameter_repeated(rest: RestFace, owner: Account) -> None:
    repeated = await rest.send("GET", "/items?sort=status&sort=-title&fields=status&fields=title&include=labels", owner)
    joined = await rest.send("GET", "/items?sort=status,-title&fields=status,title&include=labels", owner)
    assert (repeated.status_code, repeated.json()) == (200, joined.json())
    assert [set(each) for each in repeated.json()["data"]] == [{"status", "title", "labels"}] * 3
    page = await rest.send("GET", "/items?status[in]=open&status[in]=done&sort=title&limit=2", owner)
    following = await rest.client.get(links(page)["next"], headers=owner.headers)
    assert [each["title"] for each in following.json()["data"]] == ["C & D = 100%"]
    twice = await rest.send("GET", "/items?sort=title&sort=-title", owner)
    assert [each["code"] for each in twice.json()["errors"]] == ["conflict"]


async def test_link_leads_to_the_end_with_the_same_parameters(rest: RestFace, owner: Account) -> None:
    seen, address = [], "/items?sort=-priority&limit=1&status=open&fields=title&skip=0"
    for _ in range(5):
        answer = await rest.send("GET", address, owner)
        seen += [row["title"] for row in answer.json()["data"]]
        link = links(answer).get("next")
        assert (link is None) == (answer.json()["page"]["next"] is None)
        if link is None:
            break
        match = re.fullmatch(r"/api/v1(/items\?.+)", link)
        assert match is not None
        address = match[1]
    assert seen == ["C & D = 100%", "Alpha"]


async def test_link_of_a_relation_leads_to_its_end(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    for number in range(3):
        await make_comment(rest, ada, item, f"Comment {number}")
    first = await rest.send("GET", f"/items/{item['id']}/comments?limit=2&sort=created_at", ada)
    assert list(links(first)) == ["next"]
    second = await rest.send("GET", links(first)["next"].removeprefix("/api/v1"), ada)
    assert list(links(second)) == ["prev", "first"]
    bodies = [row["body"] for row in first.json()["data"] + second.json()["data"]]
    assert bodies == ["Comment 0", "Comment 1", "Comment 2"]


async def test_comments_of_an_item_are_those_of_that_item(rest: RestFace, ada: Account, eve: Account) -> None:
    item, other = await make_item(rest, ada), await make_item(rest, ada)
    mine = await make_comment(rest, ada, item, "brass wheels")
    await make_comment(rest, ada, other)
    assert (await rest.get(f"/items/{item['id']}/comments?q=wheel&count=true", ada)) == {
        "data": [mine], "page": {"has_next": False, "next": None, "total": 1},
    }  # fmt: skip
    answer = rest.read(await rest.send("GET", f"/items/{item['id']}/comments", eve))
    assert (answer.problem, answer.status) == ("not_found", 404)
    assert rest.read(await rest.send("GET", f"/items/{item['id']}/comments")).status == 401


LONG = "x" * 20_000
BAD = [
    ("nope=1", {"nope": "unknown"}),
    ("nope=1&nip=2", {"nope": "unknown", "nip": "unknown"}),
    ("title[gt]=a", {"filter.title.gt": "unknown"}),
    ("title[is_null]=true", {"filter.title.is_null": "unknown"}),
    ("title[]=a", {"title[]": "unknown"}),
    ("title[eq][eq]=a", {"title[eq][eq]": "unknown"}),
    ("description=x", {"description": "unknown"}),
    ("status=open&status=done", {"status": "conflict"}),
    ("status=open&status[eq]=done", {"filter.status.eq": "conflict"}),
    ("limit=1&limit=2", {"limit": "conflict"}),
    ("status=nope", {"filter.status.eq": "choice"}),
    ("status[in]=open,nope", {"filter.status.in[1]": "choice"}),
    ("status[in]=", {"filter.status.in[0]": "choice"}),
    ("priority=x", {"filter.priority.eq": "type"}),
    ("priority=1.5", {"filter.priority.eq": "type"}),
    ("priority=", {"filter.priority.eq": "type"}),
    ("priority[gt]=2147483648", {"filter.priority.gt": "range"}),
    ("priority[gt]=9223372036854775808", {"filter.priority.gt": "range"}),
    ("priority[gt]=" + "9" * 5_000, {"filter.priority.gt": "range"}),
    ("priority[in]=1,x", {"filter.priority.in[1]": "type"}),
    ("due_at[is_null]=yes", {"filter.due_at.is_null": "type"}),
    ("due_at=2030-01-31T12:00:00", {"filter.due_at.eq": "format"}),
    ("due_at=2030-01-31T12:00:00+01:00", {"filter.due_at.eq": "format"}),  # a plus is a space here
    ("id=x", {"filter.id.eq": "format"}),
    ("title=a%00b", {"filter.title.eq": "format"}),
    ("q=a%00b", {"q": "format"}),
    ("limit=x", {"limit": "type"}),
    ("limit=", {"limit": "type"}),
    ("limit=1.5", {"limit": "type"}),
    ("limit=1e400", {"limit": "type"}),
    ("limit=1e9", {"limit": "range"}),
    ("limit=٣", {"limit": "type"}),
    ("limit=" + "9" * 5_000, {"limit": "range"}),
    ("skip=-1", {"skip": "range"}),
    ("skip=10001", {"skip": "range"}),
    ("count=1", {"count": "type"}),
    ("count=", {"count": "type"}),
    ("sort=", {"sort[0]": "choice"}),
    ("sort=title,", {"sort[1]": "choice"}),
    ("after=", {"after": "cursor"}),
    ("filter=", {"filter": "format"}),
    ("filter={", {"filter": "format"}),
    ("filter=[]", {"filter": "type"}),
    ("filter=null", {"filter": "type"}),
    ("filter=" + quote('{"and": {}}'), {"filter.and": "type"}),
    ("filter=" + quote('{"not": null}'), {"filter.not": "type"}),
    ("filter=" + "[" * 10_000, {"filter": "format"}),
    ("filter=" + quote('{"priority": ' + "9" * 400 + "}"), {"filter": "format"}),
    (LONG + "=1", {LONG[:100]: "unknown"}),
]


@pytest.mark.parametrize(("query", "errors"), BAD, ids=lambda value: str(value)[:50])
async def test_bad_parameter_is_refused_by_name(
    rest: RestFace, owner: Account, query: str, errors: dict[str, str]
) -> None:
    answer = rest.read(await rest.send("GET", f"/items?{query}", owner))
    assert (answer.problem, answer.status, answer.errors) == ("validation_failed", 422, errors)
    assert answer.size < 5_000


@pytest.mark.parametrize(
    "query", [f"title[{LONG}]=1", f'filter={{"{LONG}": 1}}', f'filter={{"title": {{"{LONG}": 1}}}}']
)
async def test_long_name_in_a_filter_is_not_echoed(rest: RestFace, owner: Account, query: str) -> None:
    answer = rest.read(await rest.send("GET", f"/items?{query}", owner))
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert answer.size < 5_000


async def test_thousand_unknown_parameters_are_not_all_listed(rest: RestFace, owner: Account) -> None:
    query = "&".join(f"p{number}=1" for number in range(1_000))
    answer = rest.read(await rest.send("GET", f"/items?{query}", owner))
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert answer.size < 5_000


@pytest.mark.parametrize("query", ["q=%ff", "title=%ff", "title[contains]=%c3%28", "after=%ff", "%ff=1"])
async def test_invalid_utf8_in_a_query_is_refused(rest: RestFace, owner: Account, query: str) -> None:
    answer = rest.read(await rest.send("GET", f"/items?{query}", owner))
    assert answer.status in (400, 422)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
async def test_list_parameters_are_refused_where_there_is_no_list(rest: RestFace, ada: Account, method: str) -> None:
    item = await make_item(rest, ada)
    path = "/items" if method == "POST" else f"/items/{item['id']}"
    answer = rest.read(await rest.send(method, f"{path}?limit=5", ada, content=b'{"title": "x"}'))
    assert (answer.problem, answer.errors) == ("validation_failed", {"limit": "unknown"})
    assert (await rest.get("/items", ada))["data"] == [item]
