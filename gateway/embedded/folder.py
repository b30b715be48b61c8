"""The data folder of the embedded servers, which one gateway at a time may use."""

import fcntl
import hashlib
import json
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import FolderInUse, SettingsError

# A socket's address has 104 bytes on macOS and 108 on Linux, the closing NUL included.
MAX_SOCKET_PATH = 100
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"

MISSING_EXTRA = "the embedded servers are not installed: pip install 'hybrid-gateway[embedded]', or set it."


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
