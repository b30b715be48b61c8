"""Where the embedded servers keep their data, and who may use it: one gateway at a time."""

import fcntl
import hashlib
import json
import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gateway.errors import FolderInUse, SettingsError

# A socket's address has 104 bytes on macOS and 108 on Linux, the closing NUL included.
MAX_SOCKET_PATH = 100
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"

MISSING_EXTRA = "the embedded servers are not installed: pip install 'hybrid-gateway[embedded]', or set it."


@contextmanager
def locked(data_dir: Path) -> Iterator[IO[str]]:
    """Hold `data_dir` exclusively; the kernel lets go of it when this process ends, however it ends.

    Yields:
        The lock's file, in which the holder tells others where its servers are.

    Raises:
        FolderInUse: another gateway holds the folder.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(
                f"Another gateway is running on the data folder {data_dir}: stop it, or set DATA_DIR to another folder."
            ) from None
        _rewrite(file, "")
        try:
            yield file
        finally:
            _rewrite(file, "")


def announce(file: IO[str], urls: dict[str, str]) -> None:
    """Write into the held lock's file where the servers are, for `announced`."""
    _rewrite(file, json.dumps(urls))


def announced(data_dir: Path) -> dict[str, str]:
    """Read where the servers of the gateway that holds `data_dir` are; empty until it has started them."""
    text = (data_dir / "lock").read_text(encoding="utf-8")
    return dict(json.loads(text)) if text else {}


def _rewrite(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()


def socket_folder(preferred: Path, user: pwd.struct_passwd | None = None) -> Path:
    """Return a folder for unix sockets that only its owner (and root) may enter.

    Args:
        preferred: made and used when a socket's path in it is short enough; otherwise a folder in /tmp named after it.
        user: whom it shall belong to; None for the user of this process.
    """
    folder = preferred
    if len(os.fsencode(preferred / LONGEST_SOCKET_NAME)) > MAX_SOCKET_PATH:
        # Not the TMPDIR: that may be the long one (it is on macOS), and may differ at the next start.
        folder = Path("/tmp") / f"hybrid-gateway-{short_hash(preferred)}"  # noqa: S108 - its owner is checked
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owners = {os.geteuid(), user.pw_uid if user else os.geteuid()}
    if folder.is_symlink() or folder.stat().st_uid not in owners:
        raise SettingsError(f"{folder} belongs to somebody else: remove it, or set DATA_DIR to a shorter path.")
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


def short_hash(path: Path) -> str:
    """Name a path in 10 characters."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]


def open_to_others(folder: Path) -> bool:
    """Tell whether any user may pass through every folder down to and including `folder`."""
    return all(part.stat().st_mode & 0o001 for part in [folder, *folder.parents])


def private_home(data_dir: Path, name: str, user: pwd.struct_passwd, harmless_root: Path) -> Path:
    """Return the folder `name` for a server that runs as `user`, somewhere that user can get to.

    It is in `data_dir` itself when everybody may pass through that folder's parents (whose modes are never touched),
    otherwise it is a link from there to a folder of its own in `harmless_root`.
    """
    home = data_dir / name
    if not home.exists():
        if open_to_others(data_dir.parent):
            home.mkdir()
        else:
            harmless_root.mkdir(mode=0o755, parents=True, exist_ok=True)
            home.unlink(missing_ok=True)
            home.symlink_to(tempfile.mkdtemp(prefix=f"{name}-", dir=harmless_root))
    resolved = home.resolve()
    if resolved.parent == data_dir:
        data_dir.chmod(data_dir.stat().st_mode | 0o011)
    if not open_to_others(resolved.parent):
        raise SettingsError(f"The user {user.pw_name} cannot get to {resolved}: set DATA_DIR to another folder.")
    resolved.chmod(0o700)
    os.chown(resolved, user.pw_uid, user.pw_gid)
    return resolved
