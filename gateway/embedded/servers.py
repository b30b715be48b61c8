"""Start and stop the embedded servers that the settings require."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import SecretStr

from gateway.embedded.folder import locked, socket_folder
from gateway.embedded.postgres import Postgres, server_binaries, server_home, server_user
from gateway.embedded.valkey import Valkey, valkey_binary
from gateway.errors import FolderInUse, SettingsError
from gateway.settings import Settings

OTHERS_START_SECONDS = 30


@contextmanager
def embedded_servers(settings: Settings) -> Iterator[Settings]:
    """Run a server for each URL that is unset, and yield the settings with both URLs (the same object if both are set).

    A killed gateway's servers on the same data are adopted (PostgreSQL) or replaced (Valkey); the data is kept. Raises
    SettingsError if another gateway uses DATA_DIR, if a server does not start, if the extra `embedded` is not
    installed, and in production.
    """
    if settings.DATABASE_URL is not None and settings.REDIS_URL is not None:
        yield settings
        return
    if settings.is_production:
        raise SettingsError("DATABASE_URL and REDIS_URL must be set in production.")
    data_dir, durable = settings.DATA_DIR.resolve(), settings.ENVIRONMENT != "test"
    with ExitStack() as stack:
        announce = stack.enter_context(locked(data_dir))
        urls = {}
        if settings.DATABASE_URL is None:
            user = server_user()
            home = server_home(data_dir, user)
            postgres = Postgres(server_binaries(user), home, socket_folder(home / "run", user), user, durable)
            urls["DATABASE_URL"] = stack.enter_context(_running(postgres))
        if settings.REDIS_URL is None:
            folder = data_dir / "valkey"
            valkey = Valkey(valkey_binary(), folder, socket_folder(folder) / "valkey.sock", durable)
            urls["REDIS_URL"] = stack.enter_context(_running(valkey))
        announce(urls)
        yield _with_urls(settings, urls)


@contextmanager
def shared_servers(settings: Settings) -> Iterator[Settings]:
    """Run servers as `embedded_servers` does, or use those of a gateway that is running on the same DATA_DIR.

    This is for commands (`migrate`, `create-admin`, …) that a developer calls while the gateway is running.
    """
    with ExitStack() as stack:
        try:
            ready = stack.enter_context(embedded_servers(settings))
        except FolderInUse:
            ready = _with_urls(settings, _urls_of_other(settings.DATA_DIR.resolve()))
        yield ready


def _with_urls(settings: Settings, urls: dict[str, str]) -> Settings:
    unset = {name: SecretStr(url) for name, url in urls.items() if getattr(settings, name) is None}
    return settings.model_copy(update=unset)


def _urls_of_other(data_dir: Path) -> dict[str, str]:
    """The URLs of the servers of the gateway that has locked `data_dir`, once it has started them."""
    deadline = time.monotonic() + OTHERS_START_SECONDS
    while time.monotonic() < deadline:
        if urls := (data_dir / "lock").read_text(encoding="utf-8"):
            return dict(json.loads(urls))
        time.sleep(0.1)
    raise SettingsError(f"The gateway that runs on the data folder {data_dir} has not started its servers.")


@contextmanager
def _running(server: Postgres | Valkey) -> Iterator[str]:
    try:
        server.start()
        yield server.url
    finally:
        server.stop()
