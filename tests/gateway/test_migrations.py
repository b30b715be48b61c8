"""Migrations by Alembic's command line and by `gateway migrate`, on databases of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from gateway.settings import Settings
from tests.support.databases import empty_database, run_sql
from tests.support.programs import gateway_command, run

TABLES = "select table_name::text from information_schema.tables where table_schema = 'public' order by 1"
CORE = "services.users,services.auth,services.workspaces"

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


def test_gateway_migrate_makes_the_tables_and_takes_them_away(settings: Settings) -> None:
    async def both() -> None:
        async with empty_database(settings) as url:
            for arguments, users in ((["migrate"], True), (["migrate", "--down"], False)):
                done = await asyncio.to_thread(gateway_command, *arguments, env=env_of(settings, url))
                assert done.exit_code == 0, done.output
                assert ("users" in await tables(url)) is users

    asyncio.run(both())


@pytest.mark.parametrize("arguments", [["migrate"], ["migrate", "--down"]])
def test_unreachable_database_is_named_without_its_password(settings: Settings, arguments: list[str]) -> None:
    env = env_of(settings, "postgresql://gateway:pa55word@127.0.0.1:1/app")
    done = gateway_command(*arguments, env=env)
    assert done.exit_code == 1
    assert "DATABASE_URL: PostgreSQL at 127.0.0.1:1 cannot be used" in done.stderr
    assert "pa55word" not in done.output


def test_folder_of_migrations_does_not_hide_the_library() -> None:
    assert not (Path(__file__).parents[2] / "alembic" / "__init__.py").exists()
