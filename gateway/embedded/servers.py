"""The embedded servers as a whole: both of them, one of them or none, as the settings want it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import SecretStr

from gateway.embedded.folder import announce, announced, locked, socket_folder
from gateway.embedded.postgres import Postgres
from gateway.embedded.unprivileged import server_binaries, server_home, server_user
from gateway.embedded.valkey import Valkey, valkey_binary
from gateway.errors import FolderInUse, SettingsError
from gateway.settings import Settings

OTHERS_START_SECONDS = 30


@contextmanager
def embedded_servers(settings: Settings) -> Iterator[Settings]:
    """Run a server for each URL that is unset, for as long as the context lasts.

    A killed gateway's servers on the same data are adopted (PostgreSQL) or replaced (Valkey). Data stays.

    Args:
        settings: as loaded.

    Yields:
        The settings with both URLs set; the same ones when nothing was unset.

    Raises:
        SettingsError: another gateway uses DATA_DIR, a server does not start, the extra `embedded` is not installed, or
            this is production.
    """
    if settings.DATABASE_URL is not None and settings.REDIS_URL is not None:
        yield settings
        return
    if settings.is_production:
        raise SettingsError("DATABASE_URL and REDIS_URL must be set in production.")
    data_dir = settings.DATA_DIR.resolve()
    with ExitStack() as stack:
        lock = stack.enter_context(locked(data_dir))
        urls = {}
        if settings.DATABASE_URL is None:
            urls["DATABASE_URL"] = stack.enter_context(_postgres(data_dir, durable=_durable(settings)))
        if settings.REDIS_URL is None:
            urls["REDIS_URL"] = stack.enter_context(_valkey(data_dir, durable=_durable(settings)))
        announce(lock, urls)
        yield _with_urls(settings, urls)


@contextmanager
def shared_servers(settings: Settings) -> Iterator[Settings]:
    """Like `embedded_servers`, but beside a gateway that runs on the same DATA_DIR use its servers.

    For tools (migrations, `create-admin`, …) that a developer calls while the gateway is running.
    """
    with ExitStack() as stack:
        try:
            ready = stack.enter_context(embedded_servers(settings))
        except FolderInUse:
            ready = _with_urls(settings, _wait_for_urls(settings.DATA_DIR.resolve()))
        yield ready


def _durable(settings: Settings) -> bool:
    return settings.ENVIRONMENT != "test"


def _with_urls(settings: Settings, urls: dict[str, str]) -> Settings:
    unset = {name: SecretStr(url) for name, url in urls.items() if getattr(settings, name) is None}
    return settings.model_copy(update=unset)


def _wait_for_urls(data_dir: Path) -> dict[str, str]:
    deadline = time.monotonic() + OTHERS_START_SECONDS
    while time.monotonic() < deadline:
        urls = announced(data_dir)
        if urls:
            return urls
        time.sleep(0.1)
    raise SettingsError(f"The gateway that runs on the data folder {data_dir} has not started its servers.")


@contextmanager
def _postgres(data_dir: Path, *, durable: bool) -> Iterator[str]:
    user = server_user()
    home = server_home(data_dir, user)
    server = Postgres(server_binaries(user), home, socket_folder(home / "run", user), user, durable)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@contextmanager
def _valkey(data_dir: Path, *, durable: bool) -> Iterator[str]:
    data = data_dir / "valkey"
    server = Valkey(valkey_binary(), data, socket_folder(data) / "valkey.sock", durable)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()
