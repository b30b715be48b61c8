"""One budget over both faces: the same price, the same headers, and the same Problem when there is not enough left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.settings import Settings
from tests.support.accounts import Account, KeyHolder, sign_up
from tests.support.apps import Running, client_from
from tests.support.budgets import ANONYMOUS, PER_MINUTE, Clock, anywhere, ask, budgeted, left, problem
from tests.support.factories import make_key

FACES = ["rest", "graphql"]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
async def here(settings: Settings, clock: Clock) -> AsyncIterator[Running]:
    """A worker with budgets."""
    async with budgeted(settings, clock) as found:
        yield found


@pytest.fixture(scope="module")
async def there(settings: Settings, clock: Clock) -> AsyncIterator[Running]:
    """Another."""
    async with budgeted(settings, clock) as found:
        yield found


@pytest.fixture
async def ada(here: Running) -> Account:
    """A user with a whole budget, signed in from elsewhere."""
    async with client_from(here.app) as client:
        return await sign_up(client)


eve = ada
"""Another."""


async def rest(
    client: httpx.AsyncClient, account: Account, request: tuple[str, str, Any], **headers: str
) -> httpx.Response:
    method, path, data = request
    return await client.request(method, f"/api/v1{path}", json=data, headers={**account.headers, **headers})


async def graphql(client: httpx.AsyncClient, account: Account, query: str, **headers: str) -> httpx.Response:
    body = {"query": query, "extensions": {"cost": True}}
    return await client.post("/graphql", json=body, headers={**account.headers, **headers})


CREATE = 'createItem(input: {title: "A"})'
PRICES: dict[str, tuple[tuple[str, str, Any], str, int]] = {
    "one row": (("GET", "/users/me", None), "{ me { id } }", 1),
    "a page": (("GET", "/items", None), "{ items { nodes { id } } }", 1 + 20),
    "a page of fifty": (("GET", "/items?limit=50", None), "{ items(first: 50) { edges { cursor } } }", 1 + 50),
    "a page, counted": (("GET", "/items?limit=5&count=true", None), "{ items(first: 5) { totalCount } }", 1 + 5 + 20),
    "a list in a list": (
        ("GET", "/items?limit=5&include=comments", None),
        "{ items(first: 5) { nodes { comments { nodes { id } } } } }",
        1 + 5 + 5 * 20 * 2,
    ),
    "to-one relations": (
        ("GET", "/items?limit=5&include=creator,comments.author", None),
        "{ items(first: 5) { nodes { creator { id } comments { nodes { author { id } } } } } }",
        1 + 5 + 5 * 1 + 5 * 20 * (2 + 2),
    ),
    "below one row": (
        ("GET", "/users/me?include=api_keys.user", None),
        "{ me { apiKeys { nodes { user { id } } } } }",
        1 + 20 * (1 + 1),
    ),
    "a write": (("POST", "/items", {"title": "A"}), f"mutation {{ {CREATE} {{ item {{ id }} }} }}", 1),
    "a write that shows more": (
        ("POST", "/items?include=comments,creator", {"title": "A"}),
        f"mutation {{ {CREATE} {{ item {{ comments {{ nodes {{ id }} }} creator {{ id }} }} }} }}",
        1 + 20 + 1,
    ),
    "a batch": (
        ("POST", "/items/batch?include=comments", {"operations": [{"create": {"title": "A"}}] * 3}),
        "mutation { batchItems(input: {operations: ["
        + '{create: {title: "A"}} ' * 3
        + "]}) { results { item { comments { nodes { id } } } } } }",
        1 + 3 + 3 * (1 + 20 * 2),
    ),
    "a password hash": (
        ("POST", "/auth/change-password", {"current_password": "wrong", "new_password": "correct battery"}),
        'mutation { changePassword(input: {currentPassword: "wrong", newPassword: "correct battery"}) { ok } }',
        100,
    ),
}


@pytest.mark.parametrize("name", PRICES)
async def test_both_faces_charge_the_same_for_the_same(here: Running, ada: Account, eve: Account, name: str) -> None:
    request, query, price = PRICES[name]
    one = await rest(here.client, ada, request)
    other = await graphql(here.client, eve, query)

    assert (one.headers["x-request-cost"], other.headers["x-request-cost"]) == (str(price), str(price))
    assert other.json()["extensions"]["cost"] == price
    for header in ("ratelimit-policy", "ratelimit"):
        assert one.headers[header] == other.headers[header]
    told = other.json()["extensions"]["budget"]
    assert told == {"limit": PER_MINUTE, "left": PER_MINUTE - price, "reset": -(-price // 10)}
    assert one.headers["ratelimit-policy"] == f'"default";q={PER_MINUTE};w=60'
    assert one.headers["ratelimit"] == f'"default";r={PER_MINUTE - price};t={-(-price // 10)}'


@pytest.mark.parametrize("name", PRICES)
async def test_dry_run_tells_the_price_and_does_nothing(here: Running, ada: Account, name: str) -> None:
    request, query, price = PRICES[name]
    if name == "a password hash":
        request = (*request[:2], {**request[2], "current_password": "no matter which"})
    dry = {"X-Dry-Run": "cost"}
    one = await rest(here.client, ada, request, **dry)
    other = await graphql(here.client, ada, query, **dry)

    budget = {"limit": PER_MINUTE, "left": PER_MINUTE - 1, "reset": 1}
    assert (one.status_code, one.json()) == (200, {"cost": price, "budget": budget})
    budget = {**budget, "left": PER_MINUTE - 2}
    assert other.json() == {"data": {}, "extensions": {"cost": price, "budget": budget}}
    assert (one.headers["x-request-cost"], other.headers["x-request-cost"]) == ("1", "1")
    assert (await ask(here.client, "rest", ada)).json()["data"] == []


REFUSED_DRY: dict[str, tuple[tuple[str, str, Any], str, str]] = {
    "a field": (
        ("POST", "/items", {"title": ""}), 'mutation { createItem(input: {title: ""}) { item { id } } }',
        "validation_failed",
    ),
    "a page": (("GET", "/items?limit=1000", None), "{ items(first: 1000) { nodes { id } } }", "validation_failed"),
    "a cursor": (
        ("GET", "/items?after=x", None), '{ items(after: "x") { nodes { id } } }', "validation_failed",
    ),
    "a size": (
        ("GET", "/workspaces?limit=100&include=items.comments", None),
        "{ workspaces(first: 100) { nodes { items { nodes { comments { nodes { id } } } } } } }",
        "too_complex",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_DRY)
async def test_dry_run_is_refused_as_the_request_would_be(here: Running, ada: Account, name: str) -> None:
    request, query, code = REFUSED_DRY[name]
    dry = {"X-Dry-Run": "cost"}
    answers = [await rest(here.client, ada, request, **dry), await graphql(here.client, ada, query, **dry)]
    assert [problem(each)["code"] for each in answers] == [code, code]
    assert "cost" not in answers[1].json().get("extensions", {})


async def test_dry_run_prices_what_would_be_answered_with_an_error_in_its_place(here: Running, ada: Account) -> None:
    query, dry = f'{{ nodes(ids: ["{ada.id}", "x"]) {{ id }} }}', {"X-Dry-Run": "cost"}
    answer = await graphql(here.client, ada, query, **dry)
    assert answer.json()["extensions"]["cost"] == 1 + 2
    beside = query.replace("nodes", 'items(after: "x") { totalCount } nodes')
    for refused in (beside, '{ nodes(ids: ["x", "y"]) { id } }'):
        assert problem(await graphql(here.client, ada, refused, **dry))["code"] == "validation_failed"


@pytest.mark.parametrize("face", FACES)
async def test_dry_run_without_the_scope_is_refused(here: Running, face: str) -> None:
    async with client_from(here.app) as client:
        weak = await sign_up(client, scope="labels:read")
        dry = {"X-Dry-Run": "cost"}
        if face == "rest":
            answer = await rest(client, weak, ("GET", "/items", None), **dry)
        else:
            answer = await graphql(client, weak, "{ labels { nodes { items { nodes { id } } } } }", **dry)
    assert (problem(answer)["code"], problem(answer)["scope"]) == ("insufficient_scope", "items:read")


@pytest.mark.parametrize("face", FACES)
async def test_dry_run_of_another_kind_is_refused_and_not_done(here: Running, ada: Account, face: str) -> None:
    request, query, _ = PRICES["a write"]
    dry = {"X-Dry-Run": "plan"}
    answer = await (
        rest(here.client, ada, request, **dry) if face == "rest" else graphql(here.client, ada, query, **dry)
    )
    assert (answer.status_code, problem(answer)["code"]) == (400, "bad_request")
    assert (await ask(here.client, "rest", ada)).json()["data"] == []


async def spend(client: httpx.AsyncClient, account: Account, points: int) -> None:
    """Spend so many points, on pages."""
    while points:
        rows = min(100, points - 1)
        answer = await ask(client, "rest", account, rows)
        assert answer.status_code == 200, answer.text
        points -= rows + 1


async def test_what_one_face_and_worker_has_spent_is_gone_for_all(
    here: Running, there: Running, ada: Account, clock: Clock
) -> None:
    clock.now += 100
    await spend(here.client, ada, PER_MINUTE - 60)
    clock.now += 2.5  # leases are over, and 25 points have come
    answers = [await ask(each.client, face, ada, 99) for face in FACES for each in (there, here)]

    assert [each.status_code for each in answers] == [429] * 4
    for each in answers:
        found = problem(each)
        assert found["code"] == "quota_exceeded"
        assert (found["cost"], found["policy"], found["status"]) == (100, "default", 429)
        assert 60 <= found["left"] <= 85  # what a worker has leased is back once it has asked again
        assert each.headers["retry-after"] == str(found["retry_after"])
        assert each.headers["ratelimit"] == f'"default";r={found["left"]};t={found["retry_after"]}'
        assert each.headers["x-request-cost"] == "0"


@pytest.mark.parametrize("face", FACES)
async def test_budget_refills_with_the_time_and_says_how_long_that_takes(
    here: Running, ada: Account, clock: Clock, face: str
) -> None:
    await spend(here.client, ada, PER_MINUTE)
    refused = await ask(here.client, face, ada, 49)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert problem(refused)["detail"] == "This costs 50 points, of which 0 are left. Try again in 5 seconds."
    clock.now += 4.75
    assert (await ask(here.client, face, ada, 49)).headers["retry-after"] == "1"
    clock.now += 0.25
    paid = await ask(here.client, face, ada, 49)
    assert (paid.status_code, left(paid)) == (200, 0)
    clock.now += 3_600
    full = await ask(here.client, face, ada, 9)
    assert left(full) == PER_MINUTE - 10


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_nothing_of_a_refused_write_is_done(
    here: Running, ada: Account, clock: Clock, face: str, accept: str
) -> None:
    await spend(here.client, ada, PER_MINUTE - 1)
    request = PRICES["a write that shows more"][0]
    both = f"mutation {{ one: {CREATE} {{ item {{ id }} }} two: {CREATE} {{ item {{ id }} }} }}"
    if face == "rest":
        answer = await rest(here.client, ada, request)
    else:
        # The first field alone could be paid.
        answer = await graphql(here.client, ada, both, Accept=accept)
        assert "data" not in answer.json()
    assert (answer.status_code, problem(answer)["code"]) == (429, "quota_exceeded")
    clock.now += 60
    assert (await ask(here.client, "rest", ada)).json()["data"] == []


async def test_price_beyond_the_whole_budget_is_no_matter_of_waiting(here: Running, ada: Account) -> None:
    one = await rest(here.client, ada, ("GET", "/items?limit=50&include=comments", None))
    query = "{ items(first: 50) { nodes { comments { nodes { id } } } } }"
    other = await graphql(here.client, ada, query, Accept="application/graphql-response+json")
    for each in (one, other):
        found = problem(each)
        assert (each.status_code, found["code"]) == (422, "too_complex")
        assert (found["cost"], found["limit"]) == (1 + 50 + 50 * 20 * 2, PER_MINUTE)
        assert "retry-after" not in each.headers
        assert left(each) in (0, PER_MINUTE)
    assert left(await ask(here.client, "rest", ada, 9)) == PER_MINUTE - 10


async def test_request_that_is_refused_for_another_reason_is_free(here: Running, ada: Account) -> None:
    for request in (("GET", "/items?limit=1000", None), ("POST", "/items", {"title": ""})):
        answer = await rest(here.client, ada, request)
        assert (answer.status_code, "ratelimit" in answer.headers) == (422, False)
    assert left(await ask(here.client, "rest", ada, 9)) == PER_MINUTE - 10


@pytest.mark.parametrize("face", FACES)
async def test_nobody_pays_for_a_network_together(here: Running, there: Running, face: str, clock: Clock) -> None:
    login = {"username": "nobody", "password": "wrong horse"}
    document = 'mutation { login(input: {username: "nobody", password: "wrong horse"}) { tokenPair { scope } } }'

    async def attempt(client: httpx.AsyncClient) -> httpx.Response:
        if face == "rest":
            return await client.post("/api/v1/auth/login", json=login)
        return await client.post("/graphql", json={"query": document})

    network = anywhere().removesuffix("1")
    async with client_from(here.app, f"{network}1") as one, client_from(there.app, f"{network}2") as other:
        answers = [await attempt(client) for _ in range(4) for client in (one, other)]
        codes = [problem(each)["code"] for each in answers]
        # Six sign-ins cost 300 points, of which each worker may have leased 15.
        assert codes[:5] == ["invalid_credentials"] * 5
        assert codes[5:].count("invalid_credentials") <= 1
        assert codes[-1] == "quota_exceeded"
        assert answers[-1].status_code == 429
        assert answers[-1].headers["ratelimit-policy"] == f'"anonymous";q={ANONYMOUS};w=60'
        async with client_from(here.app) as elsewhere:
            assert problem(await attempt(elsewhere))["code"] == "invalid_credentials"


async def key_of(here: Running, ada: Account, face: str, per_minute: int | None) -> KeyHolder:
    return await make_key(here.face(face), ada, scopes=["items:read"], budget_per_minute=per_minute)


@pytest.mark.parametrize("face", FACES)
async def test_key_has_its_own_budget_within_its_users(here: Running, there: Running, ada: Account, face: str) -> None:
    key = await key_of(here, ada, face, 120)
    shown = await here.face(face).ok("get_api_key", ada, id=key.key_id)
    assert shown["budget_per_minute"] == 120
    first = await ask(here.client, face, key, 99)
    # Making the key cost a point, and so did looking at it.
    assert first.headers["ratelimit-policy"] == f'"key";q=120;w=60, "default";q={PER_MINUTE};w=60'
    assert first.headers["ratelimit"] == f'"key";r=20;t=50, "default";r={PER_MINUTE - 102};t=11'
    refused = await ask(there.client, face, key, 29)
    assert (refused.status_code, problem(refused)["policy"], problem(refused)["cost"]) == (429, "key", 30)
    # What the key was refused, its user was not charged.
    assert left(await ask(here.client, face, ada, 9)) == PER_MINUTE - 112


@pytest.mark.parametrize("face", FACES)
async def test_many_keys_are_not_more_than_their_user(here: Running, ada: Account, face: str) -> None:
    keys = [await key_of(here, ada, face, 400) for _ in range(2)]
    for key in keys:
        assert (await ask(here.client, face, key, 99)).status_code == 200
    await spend(here.client, ada, PER_MINUTE - 2 - 200 - 50)
    refused = await ask(here.client, face, keys[0], 99)
    assert (refused.status_code, problem(refused)["policy"]) == (429, "default")
    # The key's own budget has its points back.
    assert refused.headers["ratelimit"].startswith('"key";r=300;')


@pytest.mark.parametrize("face", FACES)
async def test_key_without_a_budget_has_its_users(here: Running, ada: Account, face: str) -> None:
    key = await key_of(here, ada, face, None)
    answer = await ask(here.client, face, key, 99)
    assert answer.headers["ratelimit"] == f'"default";r={PER_MINUTE - 101};t=11'


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("per_minute", [0, -1, PER_MINUTE + 1])
async def test_budget_of_a_key_is_more_than_nothing_and_not_more_than_its_users(
    here: Running, ada: Account, face: str, per_minute: int
) -> None:
    data = {"name": "Too much", "scopes": ["items:read"], "budget_per_minute": per_minute}
    answer = await here.face(face).call("create_api_key", ada, data)
    assert answer.problem == "validation_failed"
    assert answer.members is not None
    assert [each["field"] for each in answer.members["errors"]] in (["budget_per_minute"], ["budgetPerMinute"])
    assert (await here.face(face).ok("list_api_keys", ada))["data"] == []


async def test_hundred_requests_at_once_spend_no_more_than_there_is(
    here: Running, there: Running, ada: Account
) -> None:
    clients = (here.client, there.client)
    answers = await asyncio.gather(*(ask(clients[n % 2], FACES[n // 2 % 2], ada, 9) for n in range(100)))
    paid = [each for each in answers if each.status_code == 200]
    # Points that one worker has leased, the other does not have: 30 each at the most.
    assert PER_MINUTE // 10 - 6 <= len(paid) <= PER_MINUTE // 10
    assert {each.status_code for each in answers} == {200, 429}


async def test_general_path_charges_once_though_a_plan_was_tried(here: Running, ada: Account) -> None:
    query = "{ items(first: 9) { nodes { id } } __schema { queryType { name } } }"
    answers = [await graphql(here.client, ada, query) for _ in range(2)]
    assert [each.json()["extensions"]["cost"] for each in answers] == [30, 30]
    assert left(answers[1]) == PER_MINUTE - 60


@pytest.mark.parametrize(("given", "price"), [(5, 6), (5.0, 6), (None, 21)])
async def test_size_in_a_variable_counts(here: Running, ada: Account, given: float | None, price: int) -> None:
    query = "query($n: Int) { items(first: $n) { nodes { id } } }"
    for dry in ({}, {"X-Dry-Run": "cost"}):
        body = {"query": query, "variables": {"n": given}, "extensions": {"cost": True}}
        answer = await here.client.post("/graphql", json=body, headers={**ada.headers, **dry})
        assert answer.json()["extensions"]["cost"] == price


async def test_price_is_told_to_whoever_asks(here: Running, ada: Account) -> None:
    asked = {"query": "{ me { id } }", "extensions": '{"cost": true}'}
    told = await here.client.get("/graphql", params=asked, headers=ada.headers)
    assert told.json()["extensions"]["cost"] == 1
    silent = await here.client.get("/graphql", params={"query": "{ me { id } }"}, headers=ada.headers)
    assert silent.json() == {"data": told.json()["data"]}


async def test_setting_tells_the_price_of_every_document(settings: Settings, clock: Clock) -> None:
    others = {"GRAPHQL_COST_EXTENSION": True, "BUDGET_PER_MINUTE": 0, "BUDGET_ANONYMOUS_PER_MINUTE": 0}
    async with budgeted(settings, clock, **others) as found:
        account = await sign_up(found.client)
        answer = await ask(found.client, "graphql", account)
        assert answer.json()["extensions"] == {"cost": 21}
        assert "ratelimit" not in answer.headers
        dry = await rest(found.client, account, ("GET", "/items", None), **{"X-Dry-Run": "cost"})
        assert (dry.status_code, dry.json()) == (200, {"cost": 21})


async def test_browsers_may_read_what_is_left(settings: Settings, clock: Clock) -> None:
    async with budgeted(settings, clock, BACKEND_CORS_ORIGINS=["https://app.example"]) as found:
        answer = await found.client.get("/api/v1/items", headers={"Origin": "https://app.example"})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit", "RateLimit-Policy", "X-Request-Cost"} <= set(exposed)
