"""PgBouncer, Debian's or anybody's, in front of the suite's server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import make_url

from gateway.embedded.postgres import server_user
from tests.support.server import free_port

PGBOUNCER: Final = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
START_SECONDS: Final = 20
CONFIG: Final = """
[databases]
{name} = {server} dbname={name} pool_size={size}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
max_client_conn = 200
"""


@contextmanager
def pgbouncer(url: str, mode: str, size: int) -> Iterator[str]:
    """The URL of the same database through PgBouncer, with its defaults but for the mode and the size of its pool."""
    assert PGBOUNCER is not None
    inner, port = make_url(url), free_port()
    given: dict[str, Any] = {
        "host": inner.host or inner.query["host"],
        "port": inner.port or inner.query.get("port", 5432),
    }
    given |= {"user": inner.username, "password": inner.password}
    server = " ".join(f"{name}={value}" for name, value in given.items() if value)
    user = server_user()
    folder = Path(tempfile.mkdtemp(prefix="hg-pgbouncer-"))
    folder.chmod(0o755)  # as root, PgBouncer runs as another user
    config = folder / "pgbouncer.ini"
    config.write_text(CONFIG.format(name=inner.database, server=server, size=size, port=port, mode=mode))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PGBOUNCER, str(config)], stdout=log, stderr=log, cwd="/",
            user=user.pw_uid if user else None, group=user.pw_gid if user else None,
        )  # fmt: skip
    try:
        _wait(process, port, folder / "log")
        yield f"postgresql://{inner.username}@127.0.0.1:{port}/{inner.database}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PgBouncer did not start: {log.read_text()[-2000:]}")
