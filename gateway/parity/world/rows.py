"""All rows of all tables, and what has changed between two moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

State = dict[str, dict[str, dict[str, Any]]]
"""By table and by key, a row as PostgreSQL's JSON."""

_TABLES: Final = """
    select c.relname as name, array_agg(a.attname::text order by a.attnum) as key
    from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> 'alembic_version'
    group by c.relname order by c.relname"""


WRITTEN: Final = "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_xact_user_tables"
"""How many rows the transaction has written so far; what was rolled back to a savepoint counts as well."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The statement that reads every row, and the columns of each table's key."""

    text: str
    keys: dict[str, list[str]]

    @classmethod
    async def of(cls, driver: asyncpg.Connection) -> Snapshots:
        """For the tables that there are, those without a primary key left aside."""
        keys = {row["name"]: list(row["key"]) for row in await driver.fetch(_TABLES)}
        parts = [f"'{name}', (select coalesce(json_agg(t), '[]') from \"{name}\" t)" for name in keys]  # noqa: S608
        return cls(f"select json_build_object({', '.join(parts)})::text", keys)

    async def take(self, driver: asyncpg.Connection) -> State:
        """Every row as the transaction sees it."""
        found = orjson.loads(await driver.fetchval(self.text))
        return {
            name: {"/".join(str(row[column]) for column in self.keys[name]): row for row in rows}
            for name, rows in found.items()
        }

    def difference(self, before: State, after: State) -> dict[str, Any]:
        """By table: rows `added`, the changed columns of rows `changed`, rows `removed`, by their keys."""
        found: dict[str, Any] = {}
        for name in self.keys:
            old, new = before[name], after[name]
            if old == new:
                continue
            changed = {key: (old[key], new[key]) for key in old.keys() & new.keys() if old[key] != new[key]}
            found[name] = {
                "added": [new[key] for key in sorted(new.keys() - old.keys())],
                "changed": {key: _columns(*changed[key]) for key in sorted(changed)},
                "removed": sorted(old.keys() - new.keys()),
            }
        return found


def _columns(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in new.items() if old.get(name) != value}
