"""Text on databases of other locales and older versions: compared, searched and migrated alike; or refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from alembic import command

from gateway.migrate import alembic_config, upgrade
from gateway.settings import Settings
from services.catalogue.text import fold
from services.queries.searching import STOP_WORDS, words_of
from tests.conftest import make_settings, with_database
from tests.support.accounts import sign_up
from tests.support.apps import running
from tests.support.databases import run_sql
from tests.support.factories import make_item, make_label
from tests.support.programs import gateway_command

OLD = Path("/usr/lib/postgresql/15/bin")
C = "encoding 'UTF8' template template0 locale_provider libc locale 'C'"


@pytest.fixture(scope="module")
def old_server() -> Iterator[str]:
    """The URL of a PostgreSQL 15 of the system's package."""
    if not OLD.is_dir():
        pytest.skip("there is no PostgreSQL 15")
    user = "postgres" if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="hg-pg15-") as folder:
        if user:
            shutil.chown(folder, user)
        data, log = f"{folder}/data", f"{folder}/log"

        def tool(name: str, *arguments: str) -> None:
            done = subprocess.run(
                [OLD / name, "-D", data, *arguments], user=user, cwd=folder, check=False, stdout=subprocess.DEVNULL
            )
            assert done.returncode == 0

        tool("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        tool("pg_ctl", "-w", "-l", log, "-o", f"-k {folder} -c listen_addresses= -c fsync=off", "start")
        try:
            yield f"postgresql+asyncpg://postgres@/postgres?host={folder}"
        finally:
            tool("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture(params=["18", "15"])
def server(request: pytest.FixtureRequest, settings: Settings) -> str:
    """The URL of a server of each version."""
    return settings.database_url if request.param == "18" else str(request.getfixturevalue("old_server"))


@asynccontextmanager
async def database(server: str, options: str = C) -> AsyncIterator[str]:
    """The URL of a database of one's own."""
    name = f"text_{uuid4().hex[:12]}"
    await run_sql(server, f"create database {name} {options}")
    try:
        yield with_database(server, name)
    finally:
        await run_sql(server, f"drop database {name} with (force)")


async def migrated(settings: Settings, url: str, revision: str = "heads") -> Settings:
    """The settings of a database that has been brought to a revision."""
    found = make_settings(DATABASE_URL=url, REDIS_URL=settings.redis_url, FILES_URL=settings.files_url)
    if revision == "heads":
        await asyncio.to_thread(upgrade, found)
    else:
        await asyncio.to_thread(command.upgrade, alembic_config(found), revision)
    return found


async def test_text_is_compared_and_searched_alike_in_the_locale_c(settings: Settings, server: str) -> None:
    async with database(server) as url, running(await migrated(settings, url)) as here:
        ada = await sign_up(here.client)
        for name in ("rest", "graphql"):
            face = here.face(name)
            label = await make_label(face, ada, f"{name} \u00c9clair \u039f\u0394\u039f\u03a3")
            answer = await face.call("create_label", ada, {"name": f"{name} \u00e9clair \u03bf\u03b4\u03bf\u03c2"})
            assert (answer.problem, answer.errors) == ("conflict", {"name": "unique"})
            found = await face.ok(
                "list_labels", ada, filter={"name": {"contains": "\u00c9CLAIR \u03bf\u03b4\u03bf\u03c3"}}
            )
            assert label in found["data"]
            item = await make_item(face, ada, f"{name} to \u00c9clair/pool.py \u6771\u4eac\u90fd \U0001f389")
            for words in (f"{name} eclair", f"{name} pool", f"{name} \u4eac\u90fd", f"{name} to"):
                assert (await face.ok("list_items", ada, q=words))["data"] == [item]


async def test_postgresql_folds_and_splits_as_python_does(settings: Settings, server: str) -> None:
    known = [
        chr(code) for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co")
        and unicodedata.normalize("NFC", chr(code)) == chr(code)
    ]  # fmt: skip
    asked = (
        "select array_agg(gateway_fold(chr(c)) order by n), array_agg(gateway_words('a' || chr(c) || 'b') order by n)"
    )
    codes = ",".join(str(ord(each)) for each in known)
    async with database(server) as url:
        await migrated(settings, url)
        rows = await run_sql(url, f"{asked} from unnest(array[{codes}]) with ordinality as x(c, n)")
    folded, split = rows[0]
    assert isinstance(folded, list)
    assert isinstance(split, list)
    assert [each for each, found in zip(known, folded, strict=True) if found != fold(each)] == []
    assert [each for each, found in zip(known, split, strict=True) if found.split() != words_of(f"a{each}b")] == []


async def test_stop_words_are_those_of_postgresql(settings: Settings, server: str) -> None:
    file = "(select setting from pg_config where name = 'SHAREDIR') || '/tsearch_data/english.stop'"
    rows = await run_sql(server, f"select pg_read_file({file})")
    assert set(str(rows[0][0]).split()) == STOP_WORDS


LABEL = (
    "insert into labels (id, workspace_id, name, created_at, updated_at) values ('{}', '{}', '{}', '{}', '2026-01-01')"
)
WORKSPACE = "00000000-0000-7000-8000-000000000001"
OLD_ROWS = [
    f"insert into workspaces values ('{WORKSPACE}', 'Cafe\u0301', 'cafe', null, '2026-01-01', '2026-01-01')",  # noqa: S608 - ours
    *[
        LABEL.format(f"00000000-0000-7000-8000-00000000000{number}", WORKSPACE, name, f"2026-01-0{number}")
        for number, name in enumerate(["Caf\u00e9", "Cafe\u0301", "caf\u00e9 (2)", "x" * 50, "bug"], start=1)
    ],
    "update labels set name = 'CAF\u00c9' where name = 'bug'",
]


async def test_migrating_normalises_what_is_there_and_keeps_labels_apart(settings: Settings, server: str) -> None:
    async with database(server) as url:
        await migrated(settings, url, "0011")
        for statement in OLD_ROWS:
            await run_sql(url, statement)
        await migrated(settings, url)
        names = await run_sql(url, "select name, updated_at > '2026-01-01' from labels order by created_at")
        assert names == [
            ("Caf\u00e9", False), ("Caf\u00e9 (2)", True), ("caf\u00e9 (2) (3)", True), ("x" * 50, False),
            ("CAF\u00c9 (3)", True),
        ]  # fmt: skip
        assert await run_sql(url, "select name, updated_at > '2026-01-01' from workspaces") == [("Caf\u00e9", True)]


USER = (
    "insert into users (id, email, username, password_hash, created_at, updated_at) values"
    " ('00000000-0000-7000-8000-00000000000{}', '{}', 'user{}', 'x', now(), now())"
)


async def test_accounts_that_become_one_are_named_and_nothing_is_changed(settings: Settings) -> None:
    async with database(settings.database_url) as url:
        await migrated(settings, url, "0011")
        for number, email in enumerate(["\u00e9@example.com", "\u00c9@example.com"], start=1):
            await run_sql(url, USER.format(number, email, number))
        env = {"DATABASE_URL": url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key}
        done = await asyncio.to_thread(gateway_command, "migrate", env=env)
        assert done.exit_code == 1
        assert "These accounts have the same e-mail address but for upper and lower case: usr_" in done.stderr
        assert "Traceback" not in done.stderr
        assert await run_sql(url, "select version_num from alembic_version") == [("0011",)]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_database_of_another_encoding_is_refused_with_a_sentence(settings: Settings, encoding: str) -> None:
    async with database(settings.database_url, f"{C.replace('UTF8', encoding)}") as url:
        env = {"DATABASE_URL": url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key}
        done = await asyncio.to_thread(gateway_command, "migrate", env=env)
        assert done.exit_code == 1
        assert f"The database has the encoding {encoding}" in done.stderr
        assert "Traceback" not in done.stderr
