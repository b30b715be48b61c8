"""DATABASE_URL as others print it: writing, reading and Alembic take it alike, or say in a sentence why not."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from gateway.settings import Settings
from services.storage.address import parse_address
from services.storage.connecting import connect
from tests.support.accounts import sign_up
from tests.support.apps import FACES, running
from tests.support.databases import empty_database, run_sql
from tests.support.factories import make_item
from tests.support.programs import gateway_command
from tests.support.server import environment

EVERYTHING = (
    "application_name=mine&connect_timeout=9&channel_binding=prefer&gssencmode=disable&keepalives=1&sslmode=disable"
    "&target_session_attrs=read-write&options=-c%20search_path%3Down%2Cpublic%20-c%20statement_timeout%3D7s"
)
NAMES = ("search_path", "statement_timeout", "application_name")
SHOWN = "select " + ", ".join(f"current_setting('{name}')" for name in NAMES)
TABLES = "select schemaname::text, count(*) > 20 from pg_tables where schemaname in ('own', 'public') group by 1"


def with_query(url: str, query: str) -> str:
    """The URL with more behind it."""
    return f"{url}{'&' if '?' in url else '?'}{query}"


@pytest.mark.parametrize("also", ["", "&pgbouncer=true"], ids=["direct", "pooled"])
async def test_everything_is_heeded_by_migrations_writes_and_reads(settings: Settings, also: str) -> None:
    async with empty_database(settings) as plain:
        await run_sql(plain, "create schema own")
        url = with_query(plain, EVERYTHING + also)
        done = await asyncio.to_thread(gateway_command, "migrate", env={**environment(settings), "DATABASE_URL": url})
        assert done.exit_code == 0, done.output
        assert await run_sql(plain, TABLES) == [("own", True)]
        async with running(Settings(_env_file=None, **{**settings.model_dump(), "DATABASE_URL": url})) as found:
            ada = await sign_up(found.client)
            for name in FACES:
                item = await make_item(found.face(name), ada)
                assert await found.face(name).ok("get_item", ada, id=item["id"]) == item
            async with found.gateway.database.unit_of_work() as session:
                assert tuple((await session.execute(text(SHOWN))).one()) == ("own,public", "7s", "mine")
            if found.gateway.reader is not None:
                assert await found.gateway.reader.pool.fetch_row(SHOWN, []) == ("own,public", "7s", "mine")


REFUSED = {
    "unknown": ("nonsense=1", 'unrecognized configuration parameter "nonsense"'),
    "unknown option": ("options=-c%20nonsense%3D1", 'unrecognized configuration parameter "nonsense"'),
    "mode": ("sslmode=nonsense", "`sslmode` parameter must be one of"),
    "file": ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "sslrootcert is /nowhere/ca.pem, which cannot be read"),
    "service": ("service=nowhere", "there is no service nowhere in "),
    "server": ("target_session_attrs=standby", "None of the hosts match the target attribute requirement"),
    "target": ("target_session_attrs=nonsense", "target_session_attrs that is none of any, read-write"),
    "binding": ("channel_binding=require", "use sslmode=verify-full instead"),
}


@pytest.mark.parametrize("setting", ["DATABASE_URL", "DATABASE_READ_URL"])
@pytest.mark.parametrize(("query", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("command", ["migrate", "worker", "serve"])
def test_what_cannot_be_heeded_is_told_in_a_sentence(
    settings: Settings, command: str, query: str, said: str, setting: str
) -> None:
    if setting == "DATABASE_READ_URL" and query.endswith("standby"):
        pytest.skip("a replica may be away for a while")
    url = with_query(settings.database_url, f"password=pa55word&{query}")
    done = gateway_command(command, env={**environment(settings), setting: url})
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1), done.output
    assert done.stderr.startswith(f"{setting}")
    assert said in done.stderr
    assert "pa55word" not in done.output


def test_service_file_is_read(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_url(settings.database_url)
    host, port = url.host or url.query["host"], url.port or url.query.get("port", 5432)
    lines = ["[app]", f"host={host}", f"port={port}", f"user={url.username}", f"dbname={url.database}"]
    (tmp_path / "services").write_text("\n".join([*lines, f"password={url.password or 'none'}"]))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    env = {**environment(settings), "DATABASE_URL": "postgresql:///?service=app"}
    done = gateway_command("migrate", env=env)
    assert done.exit_code == 0, done.output


def with_hosts(url: str, *others: str) -> str:
    """The URL with other hosts before its own."""
    own = make_url(url)
    host, port = str(own.host or own.query["host"]), own.port or own.query.get("port", 5432)
    pairs = [*(each.split(":") for each in others), (host, str(port))]
    hosts, ports = (quote(",".join(each)) for each in zip(*pairs, strict=True))
    return with_query(url.partition("?")[0], f"host={hosts}&port={ports}")


@pytest.mark.parametrize("wanted", ["", "&target_session_attrs=any", "&target_session_attrs=prefer-standby"])
async def test_host_that_says_nothing_does_not_keep_from_the_next(settings: Settings, wanted: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = with_hosts(settings.database_url, f"127.0.0.1:{silent.getsockname()[1]}")
        connection = await connect(parse_address(url + wanted), {})
        assert await connection.fetchval("select 1") == 1
        await connection.close()


async def test_of_hosts_that_none_can_be_written_to_any_is_read(settings: Settings) -> None:
    async with empty_database(settings) as plain:
        await run_sql(plain, f"alter database {make_url(plain).database} set default_transaction_read_only = on")
        url = with_hosts(plain, "127.0.0.1:1")
        connection = await connect(parse_address(url), {})
        assert await connection.fetchval("show transaction_read_only") == "on"
        await connection.close()
        with pytest.raises((asyncpg.TargetServerAttributeNotMatched, OSError)):
            await connect(parse_address(f"{url}&target_session_attrs=read-write"), {})
