"""Snapshots of all rows of all tables, and the differences between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

State = dict[str, dict[str, dict[str, Any]]]
"""Rows as PostgreSQL's JSON, by table and key."""

_TABLES: Final = """
    select c.relname as name, array_agg(a.attname::text order by a.attnum) as key
    from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> 'alembic_version'
    group by c.relname order by c.relname"""


WRITTEN: Final = "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_xact_user_tables"
"""The number of rows that the transaction has written so far, those rolled back to a savepoint included."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Takes snapshots: the statement that reads every row, and the columns of each table's primary key."""

    text: str
    keys: dict[str, list[str]]

    @classmethod
    async def of(cls, driver: asyncpg.Connection) -> Snapshots:
        """Return the snapshots of a database, of its tables with a primary key."""
        keys = {row["name"]: list(row["key"]) for row in await driver.fetch(_TABLES)}
        parts = [f"'{name}', (select coalesce(json_agg(t), '[]') from \"{name}\" t)" for name in keys]  # noqa: S608
        return cls(f"select json_build_object({', '.join(parts)})::text", keys)

    async def take(self, driver: asyncpg.Connection) -> State:
        tables = orjson.loads(await driver.fetchval(self.text))
        return {
            name: {"/".join(str(row[column]) for column in self.keys[name]): row for row in rows}
            for name, rows in tables.items()
        }

    def difference(self, before: State, after: State) -> dict[str, Any]:
        """Return, by table, rows `added`, the changed columns of rows `changed`, and the keys of rows `removed`."""
        tables: dict[str, Any] = {}
        for name in self.keys:
            old, new = before[name], after[name]
            if old == new:
                continue
            changed = sorted(key for key in old.keys() & new.keys() if old[key] != new[key])
            tables[name] = {
                "added": [new[key] for key in sorted(new.keys() - old.keys())],
                "changed": {
                    key: {name: value for name, value in new[key].items() if old[key].get(name) != value}
                    for key in changed
                },
                "removed": sorted(old.keys() - new.keys()),
            }
        return tables
