"""Lists in query strings: commas that separate, commas within values, and parameters given several times."""

from __future__ import annotations

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.faces import RestFace
from tests.support.factories import make_item
from tests.support.lists import links

TITLES = ["x,y", "a", "x", "y", "a b", "a+b", "%2C", ""]


@pytest.fixture(scope="module")
async def owner(client: httpx.AsyncClient, gateway: Gateway) -> Account:
    """Somebody with an item of each title, all but the empty one."""
    found, rest = await sign_up(client), RestFace(client, gateway.catalogue)
    for place, title in enumerate(filter(None, TITLES)):
        await make_item(rest, found, title, priority=place % 5, status="open" if place % 2 else "done")
    return found


async def titles(rest: RestFace, owner: Account, query: str) -> list[str]:
    return sorted(each["title"] for each in (await rest.get(f"/items?{query}", owner))["data"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("title[in]=x%2Cy,a", ["a", "x,y"]),
        ("title[in]=x,y", ["x", "y"]),
        ("title[in]=x%2cy", ["x,y"]),
        ("title%5Bin%5D=x,a", ["a", "x"]),
        ("title[in]=x&title[in]=a", ["a", "x"]),
        ("title[in]=x%2Cy&title[in]=a,y", ["a", "x,y", "y"]),
        ("title[in]=a+b,a%20b,a%2Bb", ["a b", "a+b"]),
        ("title[in]=%252C", ["%2C"]),
        ("title[in]=", []),
        ("title[in]=,a,", ["a"]),
        ("title[not_in]=x%2Cy,a&title[not_in]=x", ["%2C", "a b", "a+b", "y"]),
        ("title=x,y", ["x,y"]),
        ("title=x%2Cy", ["x,y"]),
        ("status[in]=open&status[in]=done&title=a", ["a"]),
        ("status[in]=open%2Cdone&title=a", ["a"]),
        ("priority[in]=0,1&priority[in]=2%2C3&title[in]=x%2Cy,a,x", ["a", "x", "x,y"]),
    ],
)
async def test_commas_within_values_are_encoded(rest: RestFace, owner: Account, query: str, found: list[str]) -> None:
    assert await titles(rest, owner, query) == found
    assert await titles(rest, owner, query) == found  # as it was remembered


@pytest.mark.parametrize(
    "query",
    [
        "sort=-priority,title&fields=title,labels.name&include=labels",
        "sort=-priority%2Ctitle&fields=title%2Clabels.name&include=labels",
        "sort=-priority&sort=title&fields=title&fields=labels.name&include=labels",
    ],
)
async def test_names_are_listed_in_each_form(rest: RestFace, owner: Account, query: str) -> None:
    found = (await rest.get(f"/items?{query}", owner))["data"]
    assert [each["title"] for each in found] == ["a b", "y", "x", "%2C", "a", "a+b", "x,y"]
    assert {tuple(each) for each in found} == {("title", "labels")}


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("title=a&title=b", {"title": "conflict"}),
        ("title[eq]=a&title=a", {"filter.title.eq": "conflict"}),
        ("q=a&q=a", {"q": "conflict"}),
        ("sort=title&sort=title", {"sort[1]": "conflict"}),
        ("status[in]=open,,done", {"filter.status.in[1]": "choice"}),
        ("title[contains]=a&title[contains]=b", {"title[contains]": "conflict"}),
        ("title[in]=" + "a," * 100 + "a", {"filter.title.in": "length"}),
    ],
)
async def test_what_is_no_list_is_given_once(
    rest: RestFace, owner: Account, query: str, errors: dict[str, str]
) -> None:
    answer = rest.read(await rest.send("GET", f"/items?{query}", owner))
    assert (answer.problem, answer.errors) == ("validation_failed", errors)


@pytest.mark.parametrize(
    "query",
    [
        "title[in]=x%2Cy,a,x&sort=title", "title[in]=x%2Cy&title[in]=a&title[in]=x&sort=title",
        "filter=%7B%22title%22:%7B%22in%22:%5B%22x,y%22,%22a%22,%22x%22%5D%7D%7D&sort=title",
    ],
)  # fmt: skip
async def test_links_lead_on_in_the_same_list(rest: RestFace, owner: Account, query: str) -> None:
    address, seen = f"/items?{query}&limit=1&fields=title", []
    for _ in range(3):
        answer = await rest.send("GET", address, owner)
        seen += [each["title"] for each in answer.json()["data"]]
        address = links(answer).get("next", "").removeprefix("/api/v1")
    assert (sorted(seen), address) == (["a", "x", "x,y"], "")
    first = links(await rest.send("GET", f"/items?{query}&limit=1&skip=1", owner))["first"].removeprefix("/api/v1")
    assert (await rest.send("GET", first, owner)).json()["page"]["has_next"]


async def test_link_is_one_uri_whatever_was_in_the_query(rest: RestFace, owner: Account) -> None:
    answer = await rest.send("GET", '/items?limit=1&title[ne]=%3E;"%0A%20é', owner)
    (link,) = answer.headers["link"].split(", ")
    assert link.startswith("</api/v1/items?limit=1&title%5Bne%5D=%3E%3B%22%0A+%C3%A9&after=")
    assert (await rest.send("GET", links(answer)["next"].removeprefix("/api/v1"), owner)).status_code == 200
