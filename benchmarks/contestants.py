"""The servers that are measured: how each is set up, started and signed in to. Each is one process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil
from jose import jwt

from benchmarks import data, directus, node
from benchmarks.cases import Sample
from benchmarks.database import DATABASE, FOLDER, PASSWORD, Servers
from benchmarks.dialects import DIRECTUS, FASTAPI_STRAWBERRY, GATEWAY, MERCURIUS, POSTGRAPHILE, Dialect
from benchmarks.load import EVERYTHING, Spent
from benchmarks.processes import busy_seconds, cpu_seconds

SECRET: Final = "bb31d8d42e663ffa53750194f0cfeead2cfd50d5817fa6523d5c0b2010c85ba9"  # noqa: S105 - of servers that run here only
_START_SECONDS: Final = 90


class NotAvailableError(Exception):
    """This server cannot be measured here."""


@dataclass(frozen=True)
class Contestant:
    """A kind of server. `command` gets the port; `environment` the servers and the port."""

    name: str
    title: str
    dialect: Dialect
    command: Callable[[int], list[str]]
    environment: Callable[[Servers, int], dict[str, str]]
    has_policies: bool = True
    database: str = DATABASE
    prepare: Callable[[Servers], None] = lambda servers: None
    finish: Callable[[int], None] = lambda port: None
    """What is done once it runs."""
    sign_in: Callable[[int, Sample, str], dict[str, str]] = lambda port, sample, username: {}
    folder: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    kind: Contestant
    port: int
    process: psutil.Process
    servers: Servers
    headers: dict[str, str]

    def spent(self) -> Spent:
        """The CPU time that everything which takes part in its answers has used so far."""
        return {
            "server": cpu_seconds(self.process),
            "postgresql": cpu_seconds(self.servers.postmaster),
            "valkey": cpu_seconds(self.servers.valkey),
            EVERYTHING: busy_seconds(),
        }

    def requests(self, case: str, sample: Sample) -> list[bytes]:
        """All requests of a case, by the actor."""
        return self.kind.dialect.requests(case, sample, self.headers)


@contextmanager
def started(kind: Contestant, servers: Servers, sample: Sample, actor: str = data.ACTOR) -> Iterator[Running]:
    """The server, for as long as the context lasts, with the actor signed in. Raises NotAvailableError."""
    kind.prepare(servers)
    port = _free_port()
    log = FOLDER / "logs" / f"{kind.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = psutil.Popen(
            kind.command(port), cwd=kind.folder, env=os.environ | kind.environment(servers, port),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _wait_for(process, port, log)
            kind.finish(port)
            yield Running(kind, port, process, servers, kind.sign_in(port, sample, actor))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except psutil.TimeoutExpired:
                process.kill()


def call(port: int, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Any:
    """The JSON that a server answers with."""
    content = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", content, {"Content-Type": "application/json", **(headers or {})}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - http, as it says
        return json.load(answer)


def _wait_for(process: psutil.Popen, port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # an answer all the same
        except OSError:
            time.sleep(0.1)
    raise NotAvailableError(f"it does not start: see {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _gateway(workers: int = 1) -> Callable[[int], list[str]]:
    program = str(Path(sys.executable).with_name("gateway"))
    return lambda port: [program, "serve", "--port", str(port), "--workers", str(workers)]


def _gateway_environment(servers: Servers, *, compiled: bool) -> dict[str, str]:
    return {
        "ENVIRONMENT": "production", "DATABASE_URL": servers.url(DATABASE), "REDIS_URL": servers.redis_url,
        "SECRET_KEY": SECRET, "ACCESS_TOKEN_EXPIRE_MINUTES": "1440", "COMPILED_READS": str(compiled).lower(),
        # So high that nobody meets it, not switched off: charging is part of a request in production.
        "BUDGET_PER_MINUTE": "1000000000", "BUDGET_ANONYMOUS_PER_MINUTE": "1000000000",
    }  # fmt: skip


def _gateway_sign_in(port: int, _: Sample, username: str) -> dict[str, str]:
    document = "mutation ($input: LoginInput!) { login(input: $input) { tokenPair { accessToken } } }"
    variables = {"input": {"username": username, "password": PASSWORD}}
    answer = call(port, "/graphql", {"query": document, "variables": variables})
    return {"Authorization": f"Bearer {answer['data']['login']['tokenPair']['accessToken']}"}


def _peer_sign_in(_: int, sample: Sample, username: str) -> dict[str, str]:
    user = sample.actor if username == data.ACTOR else sample.everywhere
    expires = datetime.now(UTC) + timedelta(days=1)
    return {"Authorization": f"Bearer {jwt.encode({'sub': str(user), 'exp': expires}, SECRET, algorithm='HS256')}"}


def gateway(name: str, title: str, *, compiled: bool = True, workers: int = 1) -> Contestant:
    """This gateway, as it would run in production, access log included."""
    return Contestant(
        name, title, GATEWAY, _gateway(workers), lambda servers, port: _gateway_environment(servers, compiled=compiled),
        sign_in=_gateway_sign_in,
    )  # fmt: skip


def _uvicorn(port: int) -> list[str]:
    app = "benchmarks.peers.fastapi_strawberry.app:app"
    return [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--loop", "uvloop", "--http", "httptools"]


def _node_peer(name: str, title: str, dialect: Dialect) -> Contestant:
    return Contestant(
        name, title, dialect, lambda port: [str(node.program()), "server.js"],
        lambda servers, port: {"DATABASE_URL": servers.url(DATABASE), "PORT": str(port), "NODE_ENV": "production"},
        has_policies=False, prepare=lambda servers: node.install(name), folder=node.PEERS / name,
    )  # fmt: skip


CONTESTANTS: Final = {
    each.name: each
    for each in (
        gateway("gateway", "Hybrid Gateway"),
        gateway("general", "Hybrid Gateway, general path", compiled=False),
        Contestant(
            "fastapi_strawberry", "FastAPI + Strawberry, by hand", FASTAPI_STRAWBERRY, _uvicorn,
            lambda servers, port: {"DATABASE_URL": servers.url(DATABASE), "SECRET_KEY": SECRET}, sign_in=_peer_sign_in,
        ),
        _node_peer("postgraphile", "PostGraphile 5", POSTGRAPHILE),
        _node_peer("mercurius", "Mercurius with JIT, fastify", MERCURIUS),
        Contestant(
            "directus", "Directus", DIRECTUS, directus.command, directus.environment,
            has_policies=False, database=directus.DATABASE, prepare=directus.prepare, finish=directus.declare_relations,
            sign_in=lambda port, sample, username: directus.HEADERS, folder=node.PEERS / "directus",
        ),
    )
}  # fmt: skip
