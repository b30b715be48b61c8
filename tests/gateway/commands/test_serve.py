"""What stops a start, in a sentence and with exit code 1; and starts without any setting."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import uvicorn

from gateway.commands import serve
from gateway.commands.serve import PROTOCOL
from gateway.settings import Settings
from tests.support.programs import gateway_command, run, started
from tests.support.server import free_port

SECRET = "Zq3v9X1kLw8Rb5Nc7Tm2Yd4Hf6Gj0PsA"
EMBEDDED = "the embedded server is for development"


@pytest.fixture
def servers(settings: Settings) -> dict[str, str]:
    """The suite's servers, in production."""
    return {
        "ENVIRONMENT": "production", "SECRET_KEY": SECRET,
        "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url,
    }  # fmt: skip


def refused_by_gateway(env: dict[str, str], *options: str) -> str:
    """What `gateway serve` says when it must not start: exit code 1, and sentences instead of a traceback."""
    done = gateway_command("serve", "--port", str(free_port()), *options, env=env)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 1, done.output
    return done.stderr


def refused_by_uvicorn(env: dict[str, str]) -> str:
    """The same, of uvicorn by itself."""
    done = run("uvicorn", "gateway.main:app", "--port", str(free_port()), env=env)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


REFUSALS: dict[str, tuple[dict[str, str], str]] = {
    "no secret": ({"SECRET_KEY": ""}, "SECRET_KEY must be set in production: a random string of at least 32 bytes."),
    "short secret": ({"SECRET_KEY": "s3cr3t-T0o-sh0rt"}, "SECRET_KEY must be at least 32 bytes long."),
    "placeholder": ({"SECRET_KEY": "changeme" * 5}, "SECRET_KEY looks like a placeholder: use a random string."),
    "no database": ({"DATABASE_URL": ""}, f"DATABASE_URL must be set in production: {EMBEDDED}."),
    "no redis": ({"REDIS_URL": ""}, f"REDIS_URL must be set in production: {EMBEDDED}."),
    "cheap hashes": ({"PASSWORD_HASH_TIME_COST": "1"}, "PASSWORD_HASH_TIME_COST must be at least 3 in production."),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_production_refuses_by_a_sentence(case: str, servers: dict[str, str]) -> None:
    changes, sentence = REFUSALS[case]
    said = refused_by_gateway({**servers, **changes})
    assert said.strip() == sentence


def test_production_names_every_fault_at_once(servers: dict[str, str]) -> None:
    together = ("no database", "no redis", "cheap hashes", "short secret")
    changes = {name: value for case in together for name, value in REFUSALS[case][0].items()}
    assert set(refused_by_gateway({**servers, **changes}).split("\n")) >= {REFUSALS[case][1] for case in together}


def test_production_refuses_demo_data(servers: dict[str, str]) -> None:
    said = refused_by_gateway(servers, "--demo")
    assert said.strip() == "--demo is refused in production: its password is public."


def test_port_that_is_taken_is_refused(servers: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused_by_gateway(servers, "--port", str(port))
    assert said.strip() == (
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose others with --host, --port."
    )


@pytest.mark.parametrize(
    ("installed", "loop", "http"),
    [(["uvloop", "httptools"], "uvloop", PROTOCOL), (["httptools"], "auto", PROTOCOL), ([], "auto", "auto")],
)
def test_uvicorn_is_told_the_loop_and_the_parser_that_are_installed(
    servers: dict[str, str], monkeypatch: pytest.MonkeyPatch, installed: list[str], loop: str, http: str
) -> None:
    told: list[uvicorn.Config] = []

    def run_nothing(config: uvicorn.Config, _settings: Settings) -> bool:
        told.append(config)
        return True

    monkeypatch.setattr(serve, "_run", run_nothing)
    monkeypatch.setattr(serve, "find_spec", lambda name: name if name in installed else None)

    done = gateway_command("serve", "--port", str(free_port()), env=servers)

    assert done.exit_code == 0, done.output
    assert [(each.loop, each.http, each.timeout_keep_alive) for each in told] == [(loop, http, 75)]


UNREACHABLE = {
    "DATABASE_URL": ("postgresql://gateway:pa55word@127.0.0.1:1/app", "DATABASE_URL: PostgreSQL at 127.0.0.1:1"),
    "REDIS_URL": ("redis://gateway:pa55word@127.0.0.1:1/0", "REDIS_URL: Redis at 127.0.0.1:1"),
}


@pytest.mark.parametrize("refused", [refused_by_gateway, refused_by_uvicorn])
@pytest.mark.parametrize("name", UNREACHABLE)
def test_unreachable_server_is_named_without_its_password(
    refused: Callable[[dict[str, str]], str], name: str, servers: dict[str, str]
) -> None:
    url, sentence = UNREACHABLE[name]
    said = refused({**servers, name: url})
    assert f"{sentence} cannot be used" in said
    assert "pa55word" not in said


def test_uvicorn_refuses_what_production_lacks(servers: dict[str, str]) -> None:
    assert refused_by_uvicorn({**servers, "SECRET_KEY": ""}).strip() == REFUSALS["no secret"][1]


@pytest.mark.parametrize("refused", [refused_by_gateway, refused_by_uvicorn])
def test_unknown_module_is_told_in_a_sentence(
    refused: Callable[[dict[str, str]], str], servers: dict[str, str]
) -> None:
    said = refused({**servers, "ENVIRONMENT": "test", "MODULES": "services.identity.users,services.nonsense"})
    assert 'there is no package "services.nonsense". Hint: Correct the setting MODULES.' in said


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that PostgreSQL's user can get to when the tests run as root."""
    path = Path(tempfile.mkdtemp(prefix="hg-serve-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def test_uvicorn_alone_starts_everything_that_is_needed_and_stops_it(data_dir: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["uvicorn", "gateway.main:app", "--port", str(port)]
    env = {"DATA_DIR": str(data_dir)}
    with started(*command, env=env, log=data_dir / "log", ready=f"{url}/health/ready") as process:
        assert httpx.get(f"{url}/health/ready").json()["status"] == "ok"
        person = {"email": "ada@example.com", "username": "ada", "password": "correct horse"}
        made = httpx.post(f"{url}/api/v1/users", json=person)
        assert made.status_code == 201, made.text
        assert httpx.get(f"{url}/api/v1/openapi.json").json()["openapi"].startswith("3.1")
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    left = [each for each in psutil.process_iter(["cwd"]) if str(each.info["cwd"]).startswith(str(data_dir))]
    assert [each for each in left if each.status() != psutil.STATUS_ZOMBIE] == []
