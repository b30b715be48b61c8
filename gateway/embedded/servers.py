"""Start and stop the embedded servers that the settings require, on a data folder that one gateway at a time uses."""

import fcntl
import hashlib
import json
import os
import pwd
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import SecretStr

from gateway.embedded.postgres import Postgres, server_binaries, server_home, server_user
from gateway.embedded.valkey import Valkey, valkey_binary
from gateway.errors import FolderInUse, SettingsError
from gateway.settings import Settings

OTHERS_START_SECONDS = 30

# A socket's address has 104 bytes on macOS and 108 on Linux, the closing NUL included.
MAX_SOCKET_PATH = 100
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


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
        servers: dict[str, Postgres | Valkey] = {}
        if settings.DATABASE_URL is None:
            user = server_user()
            home = server_home(data_dir, user)
            sockets = socket_folder(home / "run", user)
            servers["DATABASE_URL"] = Postgres(server_binaries(user), home, sockets, user, durable)
        if settings.REDIS_URL is None:
            folder = data_dir / "valkey"
            servers["REDIS_URL"] = Valkey(valkey_binary(), folder, socket_folder(folder) / "valkey.sock", durable)
        for server in servers.values():
            stack.callback(server.stop)
            server.start()
        urls = {name: server.url for name, server in servers.items()}
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
def locked(data_dir: Path) -> Iterator[Callable[[dict[str, str]], None]]:
    """Lock `data_dir` exclusively, and yield a function that writes the servers' URLs, by setting, to the lock's file.

    The kernel releases the lock when this process ends, however it ends. Raises FolderInUse if another gateway has it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(
                f"Another gateway is running on the data folder {data_dir}: stop it, or set DATA_DIR to another folder."
            ) from None

        def announce(urls: dict[str, str]) -> None:
            file.seek(0)
            file.truncate()
            file.write(json.dumps(urls) if urls else "")
            file.flush()

        announce({})
        try:
            yield announce
        finally:
            announce({})


def socket_folder(preferred: Path, user: pwd.struct_passwd | None = None) -> Path:
    """Create and return a folder for unix sockets that only its owner (and root) may enter.

    It is `preferred` if a socket's path in it is short enough, otherwise a folder in /tmp named after it. It belongs to
    `user`, or to the user of this process. Raises SettingsError if it exists and belongs to another user.
    """
    folder = preferred
    if len(os.fsencode(preferred / LONGEST_SOCKET_NAME)) > MAX_SOCKET_PATH:
        # Not TMPDIR: that may be long itself (as on macOS), and may differ at the next start.
        digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()
        folder = Path("/tmp") / f"hybrid-gateway-{digest[:10]}"  # noqa: S108 - its owner is checked
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owners = {os.geteuid(), user.pw_uid if user else os.geteuid()}
    if folder.is_symlink() or folder.stat().st_uid not in owners:
        raise SettingsError(f"{folder} belongs to another user: remove it, or set DATA_DIR to a shorter path.")
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder
