"""The servers with the rows: PostgreSQL and Valkey of the gateway's own wheels, in a folder of the benchmarks' own.

Rows are loaded once, into a database that serves as template; every run begins with a fresh copy of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
from passlib.context import CryptContext
from pydantic import SecretStr

from benchmarks import data
from gateway.embedded import embedded_servers
from gateway.migrate import Revisions, upgrade
from gateway.settings import Settings, load_settings

FOLDER: Final = Path(".bench")
PASSWORD: Final = "benchmark-password"  # noqa: S105 - of accounts that exist here only
DATABASE: Final = "bench"

# What runs at times of its own choosing would be somebody's bill by chance. `fsync` stays: a commit is a commit.
_STEADY: Final = ("autovacuum = off", "checkpoint_timeout = '1h'", "max_wal_size = '4GB'")

# What the gateway makes in Python, peers leave to the database.
DEFAULTS: Final = (
    "alter table items alter id set default uuidv7(), alter status set default 'open', alter priority set default 0,"
    " alter version set default 1, alter created_at set default now(), alter updated_at set default now()"
)


@dataclass(frozen=True)
class Servers:
    """PostgreSQL and Valkey, running."""

    settings: Settings
    template: str = ""
    """The database with the rows as they were loaded."""

    @property
    def sockets(self) -> str:
        """The folder of PostgreSQL's socket."""
        return parse_qs(urlsplit(self.settings.database_url).query)["host"][0]

    def url(self, database: str) -> str:
        """The address of a database of this server."""
        return f"postgresql://postgres@/{database}?host={self.sockets}&port=5432"

    @property
    def redis_url(self) -> str:
        """The address of Valkey."""
        return self.settings.redis_url

    @property
    def postmaster(self) -> psutil.Process:
        """PostgreSQL's first process, the parent of all others."""
        file = self.settings.DATA_DIR.resolve() / "postgres" / "data" / "postmaster.pid"
        return psutil.Process(int(file.read_text(encoding="utf-8").partition("\n")[0]))

    @property
    def valkey(self) -> psutil.Process:
        """Valkey's process."""
        folder = str(self.settings.DATA_DIR.resolve() / "valkey")
        for process in psutil.process_iter(["name", "cmdline", "cwd"]):
            told = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
            if "valkey" in (process.info["name"] or "") and any(folder in part for part in told):
                return process
        raise RuntimeError("Valkey's process was not found.")

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements one after the other, outside of a transaction."""
        asyncio.run(self._execute(statements, database))

    async def _execute(self, statements: tuple[str, ...], database: str) -> None:
        connection = await asyncpg.connect(self.url(database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def fetch(self, query: str, *values: Any, database: str = DATABASE) -> list[asyncpg.Record]:
        """The rows of a query."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.url(database))
            try:
                return list(await connection.fetch(query, *values))
            finally:
                await connection.close()

        return asyncio.run(run())

    def copy(self, source: str, target: str) -> None:
        """Make the database `target` anew, as a copy of `source`, to which nobody may be connected."""
        self.execute(
            f'drop database if exists "{target}" with (force)',
            f'create database "{target}" template "{source}" strategy file_copy',
        )


@contextmanager
def running(folder: Path = FOLDER) -> Iterator[Servers]:
    """Both servers, and in them a fresh database `DATABASE` with the rows, for as long as the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    wanted = load_settings(ENVIRONMENT="development", DATA_DIR=folder, DATABASE_URL=None, REDIS_URL=None)
    with embedded_servers(wanted) as settings:
        servers = Servers(settings)
        servers.execute(*(f"alter system set {setting}" for setting in _STEADY), "select pg_reload_conf()")
        servers = Servers(settings, _template(servers))
        servers.copy(servers.template, DATABASE)
        servers.execute(DEFAULTS, database=DATABASE)
        yield servers


def _template(servers: Servers) -> str:
    """The name of the database with the rows, which is made unless it is there."""
    name = f"rows_{_fingerprint(servers.settings)}"
    known = servers.fetch("select datname from pg_database where datname like 'rows%'", database="postgres")
    if name not in [row["datname"] for row in known]:
        servers.execute(*(f'drop database "{row["datname"]}"' for row in known))
        draft = "rows_draft"
        servers.execute(f"drop database if exists {draft} with (force)", f"create database {draft}")
        upgrade(servers.settings.model_copy(update={"DATABASE_URL": SecretStr(servers.url(draft))}))
        asyncio.run(_load(servers.url(draft), data.DataSet(CryptContext(["argon2"]).hash(PASSWORD))))
        servers.execute(f"alter database {draft} rename to {name}")
    return name


def _fingerprint(settings: Settings) -> str:
    """Changes with the rows and with the schema."""
    parts = [inspect.getsource(data), *sorted(Revisions.of(settings).heads)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


async def _load(url: str, rows: data.DataSet) -> None:
    connection = await asyncpg.connect(url)
    try:
        # The rows are right by their making: checking a million references would take a minute.
        await connection.execute("set session_replication_role = replica")
        for table, columns in data.COLUMNS.items():
            await connection.copy_records_to_table(table, records=rows.rows[table], columns=columns.split())
        await connection.execute("vacuum (analyze, freeze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
