"""Migrations by Alembic's command line and by `gateway migrate`, on databases of their own."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url
from typer.testing import Result

from gateway.commands.migrate import BACK, DROP
from gateway.migrate import MigrationState, Revisions
from gateway.settings import Settings
from services.storage import outages
from tests.support.accounts import sign_up
from tests.support.apps import FACES, running
from tests.support.databases import empty_database, run_sql
from tests.support.programs import environment_with, gateway_command, run
from tests.support.server import environment
from tests.support.two_paths import cloned_database

TABLES = "select table_name::text from information_schema.tables where table_schema = 'public' order by 1"
USER = {"username": "ada", "email": "ada@example.com", "password": "correct horse"}
CORE = "services.identity.users,services.identity.auth,services.identity.workspaces"

# Alembic's own entry point, several times in one process: what is imported into it must not disturb the suite.
ALEMBIC = """
import json, sys
from alembic.config import main
for command in json.loads(sys.argv[1]):
    print("+", *command, flush=True)
    main(command, prog="alembic")
"""


def env_of(settings: Settings, url: str, **more: str) -> dict[str, str]:
    return {"DATABASE_URL": url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key, **more}


def alembic(env: dict[str, str], *commands: str) -> str:
    """Run Alembic's commands; returns what they say. They must succeed."""
    done = run("python", "-c", ALEMBIC, orjson.dumps([each.split() for each in commands]).decode(), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


async def tables(url: str) -> set[object]:
    return {row[0] for row in await run_sql(url, TABLES)}


def sentences(stderr: str) -> list[str]:
    """The lines of a standard error, without those of the logs of whatever else this process runs."""
    return [line for line in stderr.splitlines() if not re.match(r"[{]|\d{4}-\d\d-\d\dT", line)]


async def test_schema_goes_up_down_and_up_again_and_is_what_the_models_say(settings: Settings) -> None:
    async with empty_database(settings) as url:
        env = env_of(settings, url)
        said = alembic(env, "upgrade head --sql", "upgrade head", "check", "downgrade base")
        assert "CREATE TABLE users" in said
        assert "No new upgrade operations detected" in said
        assert await tables(url) == {"alembic_version"}
        alembic(env, "upgrade head")
        core = ["users", "sessions", "workspaces", "memberships", "api_keys", "audit_events"]
        core += ["trusted_documents", "trusted_documents_version", "idempotency_keys"]
        core += ["mail_tokens", "invitations", "files"]
        core += ["jobs", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"]
        sample = ["items", "labels", "item_labels", "item_files", "comments", "comment_files"]
        assert await tables(url) == {"alembic_version", *core, *sample}


async def test_packages_from_outside_are_migrated_and_checked_too(settings: Settings) -> None:
    async with empty_database(settings) as url:
        env = env_of(settings, url, MODULES=f"{CORE},tests.support.foreign")
        assert "No new upgrade operations detected" in alembic(env, "upgrade heads", "check")
        assert "milestones" in await tables(url)


async def migrate(env: dict[str, str], *arguments: str) -> Result:
    return await asyncio.to_thread(gateway_command, "migrate", *arguments, env=env)


async def test_gateway_migrate_makes_the_tables_goes_back_and_takes_them_away(settings: Settings) -> None:
    async with empty_database(settings) as url:
        env, name = env_of(settings, url), make_url(url).database
        assert name is not None
        for arguments, users, newest in (
            ([], True, True),
            (["--back", "--yes-go-back-in", name], True, False),
            ([], True, True),
            (["--down", "--yes-drop-everything-in", name], False, False),
        ):
            done = await migrate(env, *arguments)
            assert done.exit_code == 0, done.output
            assert ("users" in await tables(url)) is users
            found = await run_sql(url, "select version_num from alembic_version")
            assert (found == [(head(settings),)]) is newest


def head(settings: Settings) -> str:
    (found,) = Revisions.of(settings).heads
    return found


AWAY = {"back": ["--back", BACK], "down": ["--down", DROP]}
PRODUCTION = {
    "ENVIRONMENT": "production", "SECRET_KEY": "7f1c8a4e5d2b9036a1c4e7f80d3b6529", "PASSWORD_HASH_TIME_COST": "3",
    "PASSWORD_HASH_MEMORY_KIB": "65536",
}  # fmt: skip
UNSAID = {
    "without a terminal": (["--down"], {}, f"To drop every table without a terminal, say {DROP} {{name}}."),
    "in production": (["--down"], PRODUCTION, f"To drop every table in production, say {DROP} {{name}}."),
    "back": (["--back"], PRODUCTION, "To undo the newest migration in production, say --yes-go-back-in {name}."),
    "another name": (["--down", "--yes-drop-everything-in", "other"], {}, "The database is called {name}, not other."),
    "another option": (["--down", BACK, "{name}"], {}, f"{DROP} is for --down, {BACK} for --back."),
    "no deed": ([DROP, "{name}"], {}, f"{DROP} is for --down, {BACK} for --back."),
    "both": (["--down", "--back"], {}, "--down and --back exclude each other."),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "more", "said"), UNSAID.values(), ids=UNSAID)
async def test_nothing_is_dropped_unless_it_is_told_in_full(
    settings: Settings, arguments: list[str], more: dict[str, str], said: str
) -> None:
    async with cloned_database(settings, f"gateway_dropped_{uuid4().hex[:8]}") as url:
        before, name = await tables(url), make_url(url).database
        done = await migrate(env_of(settings, url, **more), *(each.format(name=name) for each in arguments))
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(said.format(name=name))
        assert await tables(url) == before


@pytest.mark.parametrize(("typed", "code"), [("{name}", 0), ("other", 1), ("", 1), ("y", 1)])
async def test_name_of_the_database_is_typed_at_a_terminal(settings: Settings, typed: str, code: int) -> None:
    name = f"gateway_typed_{uuid4().hex[:8]}"
    async with cloned_database(settings, name) as url:
        shown, status = await asyncio.to_thread(at_terminal, env_of(settings, url), typed.format(name=name))
        assert status == code, shown
        assert f"This will drop every table in the database {name} at" in shown
        assert ("users" in await tables(url)) is (code == 1)
        assert ("Nothing was changed." in shown) is (code == 1)


def at_terminal(env: dict[str, str], typed: str) -> tuple[str, int]:
    """What `gateway migrate --down` shows at a terminal of its own where this is typed, and its exit status."""
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("gateway")), "migrate", "--down"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment_with(env), start_new_session=True
    )
    os.close(theirs)
    shown = b""
    try:
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 1024)
            except OSError:  # the other end is closed
                break
            if shown.endswith(b"go on: "):
                os.write(ours, f"{typed}\n".encode())
    finally:
        os.close(ours)
    return shown.decode().replace("\r", ""), process.wait(30)


async def test_database_that_is_ahead_is_left_alone_and_served(settings: Settings) -> None:
    async with cloned_database(settings, f"gateway_ahead_{uuid4().hex[:8]}") as url:
        await run_sql(url, "update alembic_version set version_num = 'of a newer one'")
        before = await tables(url)
        done = await migrate(env_of(settings, url))
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == (
            "The database is ahead of this version, which does not know revision of a newer one. Nothing was changed.\n"
        )
        assert await tables(url) == before
        async with running(Settings(_env_file=None, **{**settings.model_dump(), "DATABASE_URL": url})) as found:
            ready = await found.client.get("/health/ready")
            up = {"database": "up", "migrations": "ahead", "redis": "up"}
            assert (ready.status_code, ready.json()) == (200, {"status": "ok", "checks": up})
            await sign_up(found.client)


async def test_way_that_is_not_known_is_told_in_a_sentence(settings: Settings) -> None:
    async with cloned_database(settings, "gateway_astray") as url:
        await run_sql(url, "update alembic_version set version_num = '0001'")
        await run_sql(url, "insert into alembic_version values ('elsewhere')")
        for arguments in ([], [*AWAY["back"], "gateway_astray"], [*AWAY["down"], "gateway_astray"]):
            done = await migrate(env_of(settings, url), *arguments)
            (sentence,) = sentences(done.stderr)
            assert (done.exit_code, done.stdout) == (1, "")
            assert "elsewhere" in sentence
            assert sentence.endswith("Nothing was changed.")


async def test_of_several_branches_none_is_undone_by_chance(settings: Settings) -> None:
    async with empty_database(settings) as url:
        env, name = env_of(settings, url, MODULES=f"{CORE},tests.support.foreign"), str(make_url(url).database)
        assert (await migrate(env)).exit_code == 0
        before = await tables(url)
        done = await migrate(env, *AWAY["back"], name)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "`alembic downgrade BRANCH@-1`" in done.stderr
        assert await tables(url) == before
        assert (await migrate(env, *AWAY["down"], name)).exit_code == 0
        assert await tables(url) == {"alembic_version"}


def test_revisions_count_as_alembic_counts_them(tmp_path: Path) -> None:
    revisions = {"a": (None, None), "b": ("a", None), "f": (None, "b"), "g": ("f", None)}
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").touch()
    for name, (down, depends) in revisions.items():
        text = f"revision = {name!r}\ndown_revision = {down!r}\ndepends_on = {depends!r}\n"
        (tmp_path / "versions" / f"{name}.py").write_text(text)
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    found = Revisions(ScriptDirectory.from_config(config))
    behind, current, ahead = MigrationState.BEHIND, MigrationState.CURRENT, MigrationState.AHEAD
    standings = {
        (): behind, ("a",): behind, ("b",): behind, ("f",): behind,
        # What f depends on is left out by Alembic.
        ("g",): current, ("b", "g"): current, ("z",): ahead, ("g", "z"): ahead,
        ("a", "z"): behind, ("f", "z"): behind,
    }  # fmt: skip
    assert {each: found.standing(each) for each in standings} == standings


@pytest.mark.parametrize("name", FACES)
async def test_database_that_is_not_migrated_is_told_at_the_start_and_unavailable(
    settings: Settings, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    async with empty_database(settings) as url:
        outages._told.clear()
        async with running(Settings(_env_file=None, **{**settings.model_dump(), "DATABASE_URL": url})) as found:
            started = capsys.readouterr().err
            face = found.face(name)
            answers = [
                await face.call("login", None, {"username": "ada", "password": "correct horse"}),
                await face.call("create_user", None, USER),
            ]
            ready = await found.client.get("/health/ready")
        assert '"event":"database_not_migrated"' in started
        assert [(each.problem, each.status) for each in answers] == [("unavailable", 503)] * 2
        said = [line for line in capsys.readouterr().err.splitlines() if '"database_not_migrated"' in line]
        assert said
        assert all("run `gateway migrate`" in line for line in said)
        assert (ready.status_code, ready.json()["checks"]["migrations"]) == (503, "down")


@pytest.mark.parametrize("command", [["worker"], ["documents", "list"]])
async def test_programs_want_a_migrated_database(settings: Settings, command: list[str]) -> None:
    async with empty_database(settings) as url:
        done = await asyncio.to_thread(gateway_command, *command, env=env_of(settings, url))
        said = ["The database is not at the newest version: run `gateway migrate`."]
        assert (done.exit_code, sentences(done.stderr)) == (1, said)


@pytest.mark.parametrize("arguments", [["migrate"], ["migrate", "--down"]])
def test_unreachable_database_is_named_without_its_password(settings: Settings, arguments: list[str]) -> None:
    env = env_of(settings, "postgresql://gateway:pa55word@127.0.0.1:1/app")
    done = gateway_command(*arguments, env=env)
    assert done.exit_code == 1
    assert "DATABASE_URL: PostgreSQL at 127.0.0.1:1 cannot be used" in done.stderr
    assert "pa55word" not in done.output


def test_folder_of_migrations_does_not_hide_the_library() -> None:
    assert not (Path(__file__).parents[2] / "alembic" / "__init__.py").exists()


async def test_database_that_cannot_be_written_to_is_told_in_a_sentence(settings: Settings) -> None:
    async with empty_database(settings) as url:
        await run_sql(url, f"alter database {make_url(url).database} set default_transaction_read_only = on")
        done = await asyncio.to_thread(gateway_command, "migrate", env={**environment(settings), "DATABASE_URL": url})
        (sentence,) = [
            line for line in done.stderr.splitlines() if "alembic.runtime" not in line
        ]  # which others switch on
        assert done.exit_code == 1
        assert sentence == (
            "The database cannot be migrated now: cannot execute CREATE TABLE in a read-only transaction."
            " Nothing was changed."
        )
