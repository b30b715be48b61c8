"""What is over is deleted by the clock, a bounded number of rows at a time."""

from __future__ import annotations

from typing import Final

import pytest
from sqlalchemy import text

from services.jobs.models import JobState
from tests.services.jobs.conftest import Yard
from tests.support.databases import run_sql

OVER: Final = 2_500
USER: Final = (
    "insert into users (id, email, username, password_hash, created_at, updated_at) "
    "values (gen_random_uuid(), 'ada@example.com', 'ada', '', now(), now()) returning id"
)
ROOM: Final = (
    "insert into workspaces (id, name, slug, created_at, updated_at) "
    "values (gen_random_uuid(), 'Room', 'room', now(), now()) returning id"
)
ROWS: Final = {
    "sweep_sessions": (
        "sessions", "expires_at", "now()",
        "(id, user_id, device, address, scopes, generation, created_at, last_used_at, expires_at)",
        "gen_random_uuid(), '{user}', '', '', '{{}}', 0, now(), now(), {at}",
    ),
    "sweep_mail_tokens": (
        "mail_tokens", "expires_at", "now()", "(id, purpose, digest, user_id, email, created_at, expires_at)",
        "gen_random_uuid(), 'verify_email', sha256(gen_random_uuid()::text::bytea), '{user}', '', now(), {at}",
    ),
    "sweep_invitations": (
        "invitations", "expires_at", "now() - interval '30 days'",
        "(id, workspace_id, email, role, user_id, digest, created_at, expires_at)",
        ("gen_random_uuid(), '{room}', gen_random_uuid()::text, 'viewer', '{user}', "
        "sha256(gen_random_uuid()::text::bytea), now(), {at}"),
    ),
    "sweep_idempotency_keys": (
        "idempotency_keys", "created_at", "now() - interval '24 hours'", "(id, fingerprint, answer, created_at)",
        "sha256(gen_random_uuid()::text::bytea), '', '', {at}",
    ),
    "sweep_jobs": (
        "jobs", "finished_at", "now() - interval '7 days'",
        "(id, name, state, payload, attempts, ticket, created_at, run_at, finished_at)",
        "gen_random_uuid(), 'toil', 'succeeded', '{{}}', 1, 0, now(), now(), {at}",
    ),
}  # fmt: skip
"""By job: the table, the column that says what is over, since when, and the values of a row."""

WATCH: Final = (
    "create table swept (transaction bigint, rows integer)",
    (
        "create function swept() returns trigger language plpgsql as $$ begin "
        "insert into swept values (txid_current(), (select count(*) from gone)); return null; end $$"
    ),
    (
        "create trigger swept after delete on {table} referencing old table as gone for each statement "
        "execute function swept()"
    ),
)
"""Notes how many rows each statement has deleted, and in which transaction."""


async def filled(yard: Yard, name: str) -> tuple[str, str]:
    """Fill the table of a job with rows that are over, and one that is not yet; that table, and what says which."""
    table, column, limit, columns, values = ROWS[name]
    (user,), (room,) = await run_sql(yard.url, USER), await run_sql(yard.url, ROOM)
    for at, many in ((f"{limit} - interval '1 minute' * (n + 1)", OVER), (f"{limit} + interval '1 hour'", 1)):
        row = values.format(at=at, user=user[0], room=room[0])
        await run_sql(yard.url, f"insert into {table} {columns} select {row} from generate_series(1, {many}) n")  # noqa: S608
    return table, f"{column} <= {limit}"


async def left(yard: Yard, table: str, over: str) -> list[int]:
    """How many rows of a table are over, and how many are not."""
    counts = f"select count(*) filter (where {over}), count(*) filter (where not ({over})) from {table}"  # noqa: S608
    ((found, others),) = await run_sql(yard.url, counts)
    return [int(str(found)), int(str(others))]


@pytest.mark.parametrize("name", ROWS)
async def test_sweep_deletes_all_that_is_over_a_thousand_rows_to_a_transaction(yard: Yard, name: str) -> None:
    table, over = await filled(yard, name)
    for statement in WATCH:
        await run_sql(yard.url, statement.format(table=table))
    done = await yard.run(await yard.ask(yard.gateway.catalogue.jobs[name]))
    assert (done.state, done.error) == (JobState.SUCCEEDED, None)
    # Where jobs are swept, the sweep is one, which is not over.
    assert await left(yard, table, over) == [0, 1 + (name == "sweep_jobs")]
    swept = await yard.rows("swept", order="transaction")
    assert [rows for _, rows in swept] == [1000, 1000, 500]
    assert len({transaction for transaction, _ in swept}) == 3


async def test_sweep_waits_for_nobody_and_leaves_what_somebody_holds(yard: Yard) -> None:
    table, over = await filled(yard, "sweep_sessions")
    key = await yard.ask(yard.gateway.catalogue.jobs["sweep_sessions"])
    async with yard.gateway.database.unit_of_work() as session:
        await session.execute(
            text(f"select from {table} where {over} order by {ROWS['sweep_sessions'][1]} limit 3 for update")
        )
        assert (await yard.run(key)).state is JobState.SUCCEEDED
        assert await left(yard, table, over) == [3, 1]
    again = await yard.ask(yard.gateway.catalogue.jobs["sweep_sessions"])
    assert (await yard.run(again)).state is JobState.SUCCEEDED
    assert await left(yard, table, over) == [0, 1]
