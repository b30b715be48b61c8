"""`gateway serve`: start everything that a gateway needs in order, and stop it in reverse."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from rich.console import Console
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload

from gateway.embedded import check_reachable, embedded_servers
from gateway.errors import SettingsError
from gateway.logging import configure_logging
from gateway.mail import ACCOUNT_PATH, keeps_mails
from gateway.metrics import WORKERS_FOLDER
from gateway.migrate import upgrade
from gateway.portal.mail import MAIL_PATH
from gateway.serving.server import GatewayServer
from gateway.serving.supervisor import Supervisor
from gateway.settings import Settings, load_settings
from services.catalogue import Catalogue

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PROTOCOL = "gateway.serving.protocol:BoundedProtocol"
"""A name, since uvicorn passes only names to worker processes."""
WORKER_SECONDS = 60
"""Seconds without an answer after which a worker is replaced; its start on a busy machine must take less."""


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
    reload: Annotated[bool, typer.Option("--reload", help="Restart when the code changes.")] = False,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Load sample data and a demo account.")] = False,
) -> None:
    """Serve both faces, with embedded PostgreSQL and Valkey where no URL is set."""
    loaded = load_settings()
    if demo and loaded.is_production:
        raise SettingsError("--demo is refused in production: its password is public.")
    if reload and workers > 1:
        raise SettingsError("--reload and --workers exclude each other.")
    Catalogue.load(loaded.MODULES)  # report a wrong declaration before starting anything
    _check_port(host, port)
    with _stopped_by_signals(), embedded_servers(loaded) as started:
        settings = asyncio.run(check_reachable(started))
        if not settings.is_production:
            message = upgrade(settings)
            if message:
                typer.echo(message)
        base = _address(host, port)
        sign_in = ""
        if demo:
            # Imported on demand: production does not use it.
            from gateway.demo import DEMO_PASSWORD, DEMO_USERNAME, load_demo

            asyncio.run(load_demo(settings))
            sign_in = f"{DEMO_USERNAME} / {DEMO_PASSWORD}"
        _print_banner(settings, base, sign_in)
        with ExitStack() as stack:
            stack.enter_context(_exported(settings, base))
            if settings.METRICS and workers > 1:
                os.environ[WORKERS_FOLDER] = stack.enter_context(TemporaryDirectory(prefix="gateway-metrics-"))
            config = _config(settings, host=host, port=port, workers=workers, reload=reload)
            if not _run(config, settings):
                raise SystemExit(STARTUP_FAILURE)


def _config(settings: Settings, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(
        "gateway.main:app", log_config=None, access_log=False, server_header=False,
        loop="uvloop" if find_spec("uvloop") else "auto",  # absent on Windows
        http=PROTOCOL if find_spec("httptools") else "auto", timeout_worker_healthcheck=WORKER_SECONDS,
        ws="gateway.serving.sockets:SocketProtocol", ws_max_size=settings.GRAPHQL_WS_MESSAGE_BYTES,
        forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS, timeout_keep_alive=settings.KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.SHUTDOWN_GRACE_SECONDS, **options,
    )  # fmt: skip


def _run(config: uvicorn.Config, settings: Settings) -> bool:
    """Serve until a signal arrives; return whether the start succeeded."""
    if config.should_reload:
        # The kernel closes this end when this process ends, however it ends.
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ChangeReload(config, GatewayServer(config, 0, theirs).run, [config.bind_socket()]).run()
        return True
    if config.workers > 1:
        configure_logging(settings.LOG_LEVEL, settings.log_format)
        return asyncio.run(Supervisor(config, config.bind_socket(), settings.SHUTDOWN_DRAIN_SECONDS).run())
    server = GatewayServer(config, settings.SHUTDOWN_DRAIN_SECONDS)
    with suppress(KeyboardInterrupt):
        server.run()
    return server.started


def _check_port(host: str, port: int) -> None:
    """Raise SettingsError for a port that is in use, before anything is started."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose others with --host, --port."
        ) from None


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turn the first signal to stop into an exit with code 0, and ignore later ones, so that the shutdown completes.

    Uvicorn installs its own handlers while it serves, and raises the signal again for these ones once it has drained.
    """

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(0)

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    # The terminal was closed. Uvicorn drains at SIGTERM, but not at SIGHUP.
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _exported(settings: Settings, base: str) -> Iterator[None]:
    """Pass values that were determined here to the worker processes, which read the environment themselves."""
    values = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key,
    }
    if not settings.is_production and not (settings.ACCOUNT_URL or settings.PUBLIC_URL):
        values["ACCOUNT_URL"] = f"{base}{ACCOUNT_PATH}"
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _address(host: str, port: int) -> str:
    """Return the URL with which a browser on this machine reaches the server."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - no bind
    return f"http://{name}:{port}"


def _print_banner(settings: Settings, base: str, sign_in: str) -> None:
    paths = {"Start page": "/", "GraphiQL": "/graphql", "Swagger UI": "/docs", "ReDoc": "/redoc"}
    if keeps_mails(settings):
        paths["Mails"] = MAIL_PATH
    lines = {name: f"{base}{path}" for name, path in paths.items()}
    if sign_in:
        lines["Demo sign-in"] = sign_in
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"{settings.PROJECT_NAME} {settings.VERSION}", style="bold")
    for name, value in lines.items():
        console.print(f"  {name:<12}  {value}")
    console.print("  Ctrl-C stops it.")
