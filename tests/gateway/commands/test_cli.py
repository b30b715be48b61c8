"""`gateway export`, `gateway explain` and `gateway create-admin`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from graphql import build_schema as parse_schema
from httpx import AsyncClient

from gateway.settings import Settings
from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.databases import run_sql
from tests.support.faces import Face
from tests.support.programs import gateway_command

CORE = "services.identity.users,services.identity.auth,services.identity.workspaces"
PASSWORD = "correct horse battery"


def env_of(settings: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key,
        "PASSWORD_HASH_TIME_COST": "1", "PASSWORD_HASH_MEMORY_KIB": "64", "LOG_FORMAT": "json",
    }  # fmt: skip


@pytest.fixture
def no_servers(tmp_path: Path) -> dict[str, str]:
    """Settings of a place where nothing runs, and where nothing may be started."""
    urls = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1"}
    return {**urls, "DATA_DIR": str(tmp_path)}


def said(*arguments: str, env: dict[str, str]) -> str:
    done = gateway_command(*arguments, env=env)
    assert done.exit_code == 0, done.output
    return done.stdout


async def test_export_is_what_the_gateway_serves(no_servers: dict[str, str], client: AsyncClient) -> None:
    served = (await client.get("/api/v1/openapi.json")).json()
    assert orjson.loads(await asyncio.to_thread(said, "export", "openapi", env=no_servers)) == served


def test_exported_schema_can_be_read_back(no_servers: dict[str, str]) -> None:
    schema = parse_schema(said("export", "graphql", env=no_servers))
    assert "Item" in schema.type_map
    assert schema.query_type is not None
    assert {"me", "items", "node"} <= set(schema.query_type.fields)


def test_exported_schema_has_uploads_where_they_are_switched_on(no_servers: dict[str, str]) -> None:
    assert "Upload" not in parse_schema(said("export", "graphql", env=no_servers)).type_map
    assert "Upload" in parse_schema(said("export", "graphql", env={**no_servers, "GRAPHQL_UPLOADS": "true"})).type_map


def test_export_is_of_the_modules_alone(no_servers: dict[str, str]) -> None:
    core = {**no_servers, "MODULES": CORE}
    assert "Item" not in parse_schema(said("export", "graphql", env=core)).type_map
    assert "/items" not in said("export", "openapi", env=core)


def test_export_of_something_else_is_refused(no_servers: dict[str, str]) -> None:
    done = gateway_command("export", "soap", env=no_servers)
    assert done.exit_code == 2
    assert "'soap' is not one of" in done.stderr


def test_explain_lists_every_operation_and_every_seam(no_servers: dict[str, str], gateway: Gateway) -> None:
    lines = said("explain", env=no_servers).splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert set(gateway.catalogue.operations) <= set(rows)
    archive = "archive_item POST /api/v1/items/{id}/archive mutation archiveItem items:write"
    assert rows["archive_item"].split() == archive.split()
    assert rows["login"].endswith("open to everybody")
    assert "create_user 50, login 50, change_password 100" in rows["cost:"]
    assert [line for line in lines if line.startswith("rest: POST /auth/login is written by hand: ")]
    assert [line for line in lines if line.startswith("graphql: uploadFile (multipart/form-data) is written by hand: ")]


@pytest.mark.parametrize("name", ["update_item", "update.item"])
def test_explain_tells_all_about_an_operation(no_servers: dict[str, str], name: str) -> None:
    told = {line[:9].strip(): line[10:] for line in said("explain", name, env=no_servers).splitlines()}
    assert told["what"] == "Change an item."
    assert told["where"].startswith("services/sample/items/operations.py:")
    assert (told["REST"], told["GraphQL"]) == ("PATCH /api/v1/items/{id}", "mutation updateItem")
    assert (told["scope"], told["events"]) == ("items:write", "item.updated")
    assert "title: str" in told["input"]
    assert "assignee_id: usr_… or null" in told["input"]
    assert "not_found (404)" in told["problems"]
    assert "forbidden (403)" in told["problems"]
    assert told["policy"].startswith("read: items.workspace_id IN (SELECT ")
    assert "; update: items.workspace_id IN (SELECT " in told["policy"]
    assert ":actor_id" in told["policy"]


def test_explain_prints_the_statement_of_a_selection(no_servers: dict[str, str]) -> None:
    sql = said("explain", "items.list", "--query", "fields=id,comments.body&include=comments", env=no_servers)
    statement = sql.partition("\n\n")[2]
    assert statement.startswith("WITH keys0 AS MATERIALIZED")
    assert "FROM comments AS comments_1" in statement
    assert "users" not in statement
    assert "def assemble" not in statement


def test_explain_prints_the_statement_of_a_document(no_servers: dict[str, str]) -> None:
    sql = said("explain", "--document", "{ me { username } }", "--assembly", env=no_servers)
    assert "users_1.id = $1::UUID" in sql
    assert "return {'me': {'username': x0}}" in sql


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--document", "{ me { nonsense } }"], "Cannot query field 'nonsense' on type 'User'."),
        (["--document", "mutation { logout { ok } }"], "Only queries are read by one statement as a whole."),
        (["me", "--query", "fields=nonsense"], "Some input is not valid. fields[0]: There is no such field."),
    ],
)
def test_explain_of_what_cannot_be_read_is_a_sentence(
    no_servers: dict[str, str], arguments: list[str], sentence: str
) -> None:
    done = gateway_command("explain", *arguments, env=no_servers)
    assert done.stderr.strip() == sentence


def test_explain_works_for_every_operation(no_servers: dict[str, str], gateway: Gateway) -> None:
    for name, operation in gateway.catalogue.operations.items():
        assert operation.description in said("explain", name, env=no_servers)


def test_explain_of_nothing_is_a_sentence(no_servers: dict[str, str]) -> None:
    done = gateway_command("explain", "burn_item", env=no_servers)
    assert done.exit_code == 1
    assert done.stderr.strip() == 'There is no operation "burn_item". `gateway explain` lists them.'


async def test_created_admin_may_do_everything(settings: Settings, face: Face, ada: Account) -> None:
    name = f"root-{uuid4().hex[:8]}"
    options = ["--username", name, "--email", f"{name}@example.com", "--password", PASSWORD]
    done = await asyncio.to_thread(gateway_command, "create-admin", *options, env=env_of(settings))
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{name} is an admin.\n"
    root = Account("", name, PASSWORD, await sign_in(face.client, name, PASSWORD))
    assert (await face.ok("me", root))["is_superuser"] is True
    assert (await face.ok("get_user", root, id=ada.id))["email"] == f"{ada.username}@example.com"


@pytest.mark.parametrize("how", ["prompt", "environment"])
def test_password_need_not_be_on_the_command_line(settings: Settings, how: str) -> None:
    name = f"root-{uuid4().hex[:8]}"
    env = {**env_of(settings), **({"ADMIN_PASSWORD": PASSWORD} if how == "environment" else {})}
    typed = f"{PASSWORD}\n{PASSWORD}\n" if how == "prompt" else None
    done = gateway_command("create-admin", "--username", name, "--email", f"{name}@example.com", env=env, stdin=typed)
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    found = asyncio.run(run_sql(settings.database_url, f"select is_superuser from users where username = '{name}'"))  # noqa: S608
    assert found == [(True,)]


async def test_refused_admin_is_told_why_and_not_made(settings: Settings, client: AsyncClient) -> None:
    somebody = await sign_up(client)
    taken = ["--username", somebody.username.upper(), "--email", "new@example.com", "--password", PASSWORD]
    wrong = ["--username", "x", "--email", "nobody", "--password", "short"]
    for options, sentences in (
        (taken, ["--username: This is taken already."]),
        (wrong, ["--username: This should have at least 3 characters.", "--email: This is not an e-mail address."]),
    ):
        done = await asyncio.to_thread(gateway_command, "create-admin", *options, env=env_of(settings))
        assert done.exit_code == 1
        assert set(done.stderr.splitlines()) >= set(sentences)
        assert "short" not in done.output
    assert await run_sql(settings.database_url, "select 1 from users where email = 'new@example.com'") == []
