"""graphql-transport-ws: who may open a socket, what may be done over it, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from gateway.settings import Settings
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.apps import Running, running
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import key_of, make_item, make_key
from tests.support.races import held_up, loaded
from tests.support.sockets import connected, socket_to, subscribe
from tests.support.state import unchanged

ME = "{ me { id } }"
CREATE = 'mutation { createItem(input: {title: "Wheel"}) { item { title } } }'
RENAME = 'mutation($id: ID!) { updateItem(input: {id: $id, title: "Renamed"}) { item { title } } }'
PAGE = "query($n: Int!) { users(first: $n) { nodes { username } } }"


@pytest.fixture(scope="module")
async def strict(settings: Settings) -> AsyncIterator[Running]:
    """An application with narrow limits, whose pages at one origin may call."""
    narrow = {
        "GRAPHQL_WS_INIT_SECONDS": 0.05, "GRAPHQL_WS_OPERATIONS": 2, "GRAPHQL_WS_MESSAGE_BYTES": 500,
        "BACKEND_CORS_ORIGINS": ["https://app.example.org"], "PUBLIC_URL": "https://api.example.org/gateway",
    }  # fmt: skip
    async with running(settings.model_copy(update=narrow)) as found:
        yield found


async def test_query_has_the_answer_that_http_gives(app: FastAPI, graphql: GraphQLFace, ada: Account) -> None:
    nested = "{ me { id memberships(first: 2) { nodes { role workspace { name } } } } }"
    async with connected(app, ada.headers) as socket:
        assert await socket.run(nested) == {"data": await graphql.data(nested, None, ada)}
        assert await socket.run(PAGE, {"n": 1}) == {"data": await graphql.data(PAGE, {"n": 1}, ada)}


async def test_mutation_changes_what_it_says(app: FastAPI, rest: RestFace, ada: Account) -> None:
    async with connected(app, ada.headers) as socket:
        assert await socket.run(CREATE) == {"data": {"createItem": {"item": {"title": "Wheel"}}}}
    assert [each["title"] for each in (await rest.ok("list_items", ada))["data"]] == ["Wheel"]


async def test_field_errors_come_with_the_data(app: FastAPI, graphql: GraphQLFace, ada: Account) -> None:
    query = '{ me { id } item(id: "itm_00000000000000000000000000000000") { id } }'
    async with connected(app, ada.headers) as socket:
        assert await socket.run(query) == await graphql.run(query, None, ada)


REFUSED = {
    "syntax": ("{ me {", "invalid_document", 400),
    "unknown field": ("{ nope }", "invalid_document", 400),
    "missing variable": (PAGE, "validation_failed", 422),
    "subscription": ("subscription { me { id } }", "invalid_document", 400),
}


@pytest.mark.parametrize(("query", "code", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_run_is_an_error(app: FastAPI, ada: Account, query: str, code: str, status: int) -> None:
    async with connected(app, ada.headers) as socket:
        socket.send(subscribe("1", query))
        answer = await socket.receive()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert [(each["extensions"]["code"], each["extensions"]["status"]) for each in answer["payload"]] == [
            (code, status)
        ]
        await socket.ping()


@pytest.mark.parametrize("query", ["subscription { me { id } }", "subscription S { me { id } } query Q { me { id } }"])
async def test_subscription_by_http_is_refused_too(graphql: GraphQLFace, ada: Account, query: str) -> None:
    answer = await graphql.post({"query": query, "operationName": "S" if " S " in query else None}, ada)
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "invalid_document"
    assert error["message"] == "The subscription operation is not supported by the schema."


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_credentials_of_connection_init_count(app: FastAPI, ada: Account, name: str) -> None:
    async with socket_to(app) as socket:
        payload = {name: ada.headers["Authorization"], "client": "web", "X-API-Key": None}
        assert await socket.init(payload) == {"type": "connection_ack"}
        assert await socket.run(ME) == {"data": {"me": {"id": ada.id}}}


async def test_key_counts_in_connection_init(app: FastAPI, rest: RestFace, ada: Account) -> None:
    key = await make_key(rest, ada, scopes=["users:read"])
    async with socket_to(app) as socket:
        assert await socket.init({"X-API-Key": key.secret}) == {"type": "connection_ack"}
        assert await socket.run(ME) == {"data": {"me": {"id": ada.id}}}


async def test_the_same_credential_twice_in_connection_init_is_one(app: FastAPI, ada: Account) -> None:
    async with socket_to(app) as socket:
        payload = {**ada.headers, "X-API-Key": ada.tokens["access_token"]}
        assert await socket.init(payload) == {"type": "connection_ack"}
        assert await socket.run(ME) == {"data": {"me": {"id": ada.id}}}


async def test_credentials_of_the_handshake_count(app: FastAPI, ada: Account) -> None:
    async with socket_to(app, ada.headers) as socket:
        assert await socket.init() == {"type": "connection_ack"}
        assert await socket.run(ME) == {"data": {"me": {"id": ada.id}}}


async def test_nobody_may_be_anonymous_beyond_what_is_open(app: FastAPI, graphql: GraphQLFace) -> None:
    async with connected(app) as socket:
        assert await socket.run(ME) == await graphql.run(ME)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"Authorization": "Bearer nonsense"}, 4403),
        ({"Authorization": "Basic YWRhOmFkYQ=="}, 4403),
        ({"Authorization": "Bearer \u2603"}, 4403),
        ({"X-API-Key": "hgw_nonsense"}, 4403),
        ({"Authorization": ["Bearer nonsense"]}, 4400),
        ({"Authorization": "Bearer nonsense", "X-API-Key": "hgw_nonsense"}, 4400),
        ([], 4400),
        ("Bearer nonsense", 4400),
        (1, 4400),
    ],
    ids=str,
)
async def test_bad_credentials_close_the_socket(app: FastAPI, payload: Any, code: int) -> None:
    async with socket_to(app) as socket:
        socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed() == code


async def test_operation_before_the_acknowledgement_closes_the_socket(app: FastAPI, ada: Account) -> None:
    async with socket_to(app, ada.headers) as socket:
        socket.send(subscribe("1", CREATE))
        assert await socket.closed() == 4401


async def test_silence_closes_the_socket(strict: Running) -> None:
    async with socket_to(strict.app) as socket:
        assert await socket.closed() == 4408


async def test_who_has_said_who_it_is_may_be_silent(strict: Running) -> None:
    async with socket_to(strict.app) as silent, connected(strict.app) as socket:
        assert await silent.closed() == 4408  # so the time is over for the other one, too
        await socket.ping()


async def test_second_connection_init_closes_the_socket(app: FastAPI, ada: Account) -> None:
    async with connected(app, ada.headers) as socket:
        socket.send({"type": "connection_init"})
        assert await socket.closed() == 4429


async def test_ping_is_answered_at_any_time(app: FastAPI) -> None:
    async with socket_to(app) as socket:
        await socket.ping()
        assert await socket.init() == {"type": "connection_ack"}
        socket.send({"type": "pong"}, {"type": "pong", "payload": {}}, {"type": "ping", "payload": {"at": [1, None]}})
        assert await socket.receive() == {"type": "pong", "payload": {"at": [1, None]}}


def nested(levels: int) -> list[Any]:
    return [nested(levels - 1)] if levels else []


MALFORMED: list[Any] = [
    "", "[]", "null", "{}", "1", '"x"', "true", "{", "nope", "[" * 10_000, "\x00", '{"type": "ping"} {}', b"", b"{}",
    b'{"type": "ping"}', b"\xff\xfe", {"type": None}, {"type": []}, {"type": {}}, {"type": "nope"}, {"type": "start"},
    {"type": "connection_ack"}, {"type": "next", "id": "1"}, {"type": "ping", "payload": 1},
    {"type": "pong", "payload": "x"}, {"type": "subscribe"}, {"type": "subscribe", "id": "1"},
    {"type": "subscribe", "id": 1, "payload": {"query": ME}}, {"type": "subscribe", "id": "", "payload": {"query": ME}},
    {"type": "subscribe", "id": None, "payload": {"query": ME}}, {"type": "subscribe", "id": "1", "payload": {}},
    {"type": "subscribe", "id": "x" * 201, "payload": {"query": ME}},
    {"type": "subscribe", "id": "1", "payload": {"query": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": ""}},
    {"type": "subscribe", "id": "1", "payload": {"query": ME, "variables": []}},
    {"type": "subscribe", "id": "1", "payload": {"query": ME, "operationName": 1}},
    {"type": "subscribe", "id": "1", "payload": {"query": ME, "extensions": "x"}},
    {"type": "complete"}, {"type": "complete", "id": {}}, {"type": "ping", "payload": {"a": nested(250)}},
    {"type": "ping", "payload": {"a": [{}] * 30_001}},
]  # fmt: skip


@pytest.mark.parametrize("message", MALFORMED, ids=lambda each: repr(each)[:120])
async def test_malformed_message_closes_the_socket(app: FastAPI, ada: Account, message: Any) -> None:
    async with connected(app, ada.headers) as socket:
        socket.send(message)
        assert await socket.closed() == 4400


DECLINED: dict[str, tuple[dict[str, Any], str, str]] = {
    "deep variables": ({"variables": {"x": nested(60)}}, "bad_request", "`variables` may nest at most 50 deep."),
    "another version of persisted queries": (
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported"),
    "a hash alone, of another version": (
        {"query": None, "extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported"),
    "no persisted query": (
        {"extensions": {"persistedQuery": []}}, "bad_request", "`extensions.persistedQuery` must be an object."),
    "no hash": (
        {"extensions": {"persistedQuery": {"version": 1}}}, "bad_request",
        "`extensions.persistedQuery.sha256Hash` must be a string of at most 300 characters."),
    "no identifier": (
        {"query": "", "documentId": 1}, "bad_request", "`documentId` must be a string of at most 300 characters."),
    "text and identifier": ({"documentId": "x"}, "bad_request", "Send `query` or `documentId`, not both."),
}  # fmt: skip


@pytest.mark.parametrize(("more", "code", "message"), DECLINED.values(), ids=DECLINED)
async def test_parameters_that_are_refused_fail_their_operation_alone(
    app: FastAPI, gateway: Gateway, ada: Account, more: dict[str, Any], code: str, message: str
) -> None:
    bad = {"id": "1", "type": "subscribe", "payload": {"query": CREATE, **more}}
    async with unchanged(gateway), connected(app, ada.headers) as socket:
        with capture_logs() as logs:
            socket.send(bad)
            answer = await socket.receive()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert [(each["extensions"]["code"], each["message"]) for each in answer["payload"]] == [(code, message)]
        status = answer["payload"][0]["extensions"]["status"]
        assert [each["status"] for each in logs if each["event"] == "request"] == [status]
        socket.send(subscribe("1", ME))  # the name is free again
        assert (await socket.receive())["payload"] == {"data": {"me": {"id": ada.id}}}
        assert await socket.receive() == {"id": "1", "type": "complete"}


async def test_too_large_variables_fail_their_operation_alone(settings: Settings) -> None:
    narrow = settings.model_copy(update={"GRAPHQL_MAX_VARIABLES_BYTES": 100})
    async with running(narrow) as own, connected(own.app) as socket:
        socket.send(subscribe("1", "{ __typename }", {"x": "y" * 100}))
        answer = await socket.receive()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert answer["payload"][0]["extensions"]["code"] == "payload_too_large"
        assert await socket.run("{ __typename }", {"x": "y" * 80}) == {"data": {"__typename": "Query"}}


async def test_message_that_is_malformed_too_closes_the_socket(app: FastAPI, ada: Account) -> None:
    payload = {"query": ME, "variables": {"x": nested(60)}, "documentId": 1, "operationName": 1}
    async with connected(app, ada.headers) as socket:
        socket.send({"id": "1", "type": "subscribe", "payload": payload})
        assert await socket.closed() == 4400


async def test_operation_of_a_name_that_is_taken_closes_the_socket(app: FastAPI, ada: Account) -> None:
    async with connected(app, ada.headers) as socket:
        socket.send(subscribe("1", ME), subscribe("1", CREATE))
        assert await socket.closed() == 4409


async def test_name_of_an_operation_that_is_over_may_be_used_again(app: FastAPI, ada: Account) -> None:
    async with connected(app, ada.headers) as socket:
        for _ in range(3):
            assert await socket.run(ME) == {"data": {"me": {"id": ada.id}}}


async def test_operations_at_once_are_limited(strict: Running) -> None:
    async with connected(strict.app) as socket:
        socket.send(*(subscribe(name, "{ __typename }") for name in "abc"))
        refused = await socket.receive()
        assert (refused["id"], refused["type"]) == ("c", "error")
        assert refused["payload"][0]["extensions"]["code"] == "too_many_requests"
        answers = [await socket.receive() for _ in range(4)]
        assert sorted((each["id"], each["type"]) for each in answers) == [
            ("a", "complete"), ("a", "next"), ("b", "complete"), ("b", "next")
        ]  # fmt: skip
        assert await socket.run("{ __typename }") == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
async def test_message_that_is_too_long_closes_the_socket(strict: Running, letter: str) -> None:
    async with connected(strict.app) as socket:
        socket.send({"type": "ping", "payload": {"x": letter * (440 // len(letter.encode()))}})
        assert (await socket.receive())["type"] == "pong"
        socket.send({"type": "ping", "payload": {"x": letter * (500 // len(letter.encode()))}})
        assert await socket.closed() == 1009


async def test_token_that_is_revoked_meanwhile_is_refused(
    app: FastAPI, gateway: Gateway, rest: RestFace, ada: Account
) -> None:
    async with connected(app, ada.headers) as socket:
        assert await socket.run(ME) == {"data": {"me": {"id": ada.id}}}
        await rest.ok("logout", ada)
        async with unchanged(gateway):
            socket.send(subscribe("1", CREATE))
            refused = await socket.receive()
        assert (refused["id"], refused["type"]) == ("1", "error")
        assert refused["payload"][0]["extensions"]["code"] == "invalid_token"
        assert await socket.closed() == 4403


async def test_what_is_open_to_all_is_done_with_a_token_that_is_worth_nothing(
    app: FastAPI, rest: RestFace, ada: Account
) -> None:
    query = """mutation($input: LoginInput!) { login(input: $input) { tokenPair { accessToken } } }"""
    async with connected(app, ada.headers) as socket:
        await rest.ok("logout", ada)
        answer = await socket.run(query, {"input": {"username": ada.username, "password": ada.password}})
        assert set(answer) == {"data"}


async def test_completed_operation_sends_nothing_more(app: FastAPI, gateway: Gateway, ada: Account) -> None:
    async with unchanged(gateway), connected(app, ada.headers) as socket:
        socket.send(subscribe("1", CREATE), {"id": "1", "type": "complete"}, {"id": "2", "type": "complete"})
        await socket.ping()


@pytest.mark.parametrize("leaves", [False, True], ids=["completes", "leaves"])
async def test_change_that_has_begun_is_made_though_nobody_waits_for_it(
    app: FastAPI, gateway: Gateway, rest: RestFace, ada: Account, *, leaves: bool
) -> None:
    item = await make_item(rest, ada)
    async with connected(app, ada.headers) as socket:
        async with loaded(gateway, ada, "item", key_of(item["id"]), "update"):
            socket.send(subscribe("1", RENAME, {"id": item["id"]}))
            waiting = await held_up(gateway, socket.message())
            waiting.cancel()
            if leaves:
                socket.leave()
            else:
                socket.send({"id": "1", "type": "complete"})
                await socket.ping()
                socket.leave()
        await socket.over()
    assert (await rest.ok("get_item", ada, id=item["id"]))["title"] == "Renamed"


async def test_shutdown_waits_for_operations_and_says_that_it_goes(
    app: FastAPI, gateway: Gateway, rest: RestFace, ada: Account
) -> None:
    item = await make_item(rest, ada)
    async with connected(app, ada.headers) as socket, connected(app) as idle:
        async with loaded(gateway, ada, "item", key_of(item["id"]), "update"):
            socket.send(subscribe("1", RENAME, {"id": item["id"]}))
            waiting = await held_up(gateway, socket.message())
            waiting.cancel()
            socket.shut_down()
            idle.shut_down()
            assert await idle.closed() == 1001
        assert (await socket.receive())["payload"] == {"data": {"updateItem": {"item": {"title": "Renamed"}}}}
        assert await socket.receive() == {"id": "1", "type": "complete"}
        assert await socket.closed() == 1001


@pytest.mark.parametrize("subprotocols", [[], ["graphql-ws"], ["GRAPHQL-TRANSPORT-WS"]], ids=str)
async def test_other_protocols_are_not_spoken(app: FastAPI, subprotocols: list[str]) -> None:
    async with socket_to(app, subprotocols=subprotocols) as socket:
        assert socket.opened == {"type": "websocket.accept"}
        assert await socket.closed() == 4406


async def test_the_protocol_is_chosen_among_others(app: FastAPI) -> None:
    async with socket_to(app, subprotocols=["graphql-ws", "graphql-transport-ws"]) as socket:
        assert socket.opened == {"type": "websocket.accept", "subprotocol": "graphql-transport-ws"}


ALLOWED = [
    "http://gateway.test", "https://GATEWAY.test", "https://gateway.test:443", "https://app.example.org",
    "https://api.example.org", None,
]  # fmt: skip


@pytest.mark.parametrize("origin", ALLOWED)
async def test_pages_of_allowed_origins_may_open_a_socket(strict: Running, origin: str | None) -> None:
    async with socket_to(strict.app, {"Origin": origin} if origin else {}) as socket:
        assert socket.opened["type"] == "websocket.accept"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "https://app.example.org.evil.example", "http://app.example.org",
     "http://gateway.test:81", "https://gateway.test.evil.example"],
)  # fmt: skip
async def test_pages_of_other_origins_may_not(strict: Running, origin: str) -> None:
    async with socket_to(strict.app, {"Origin": origin}) as socket:
        assert (socket.opened["type"], socket.opened["status"]) == ("websocket.http.response.start", 403)
        body = (await socket.message())["body"]
        assert b'"code":"csrf_suspected"' in body
        await socket.over()


async def test_each_operation_has_a_line_of_its_own(app: FastAPI, ada: Account) -> None:
    with capture_logs() as logs:
        async with connected(app, ada.headers) as socket:
            await socket.run(ME)
            await socket.run("{ me { username } }")
            socket.send(subscribe("1", "{ nope }"))
            await socket.receive()
    lines = [each for each in logs if each["event"] == "request"]
    assert [(each["method"], each["path"], each["status"], each["operation"], each["actor"]) for each in lines] == [
        ("WS", "/graphql", 101, None, None),
        ("WS", "/graphql", 200, "me", ada.id),
        ("WS", "/graphql", 200, "me", ada.id),
        ("WS", "/graphql", 400, None, None),
    ]
    assert all(each["bytes"] > 0 for each in lines[1:])


async def test_socket_and_http_share_their_plans(app: FastAPI, client: httpx.AsyncClient, ada: Account) -> None:
    query = "{ me { id email } }"
    await client.post("/graphql", json={"query": query}, headers=ada.headers)
    with capture_logs() as logs:
        async with connected(app, ada.headers) as socket:
            await socket.run(query)
        await client.post("/graphql", json={"query": query}, headers=ada.headers)
    _, by_socket, by_http = (each for each in logs if each["event"] == "request")
    assert by_socket["read"] == by_http["read"]
    assert by_socket["statements"] == by_http["statements"]
