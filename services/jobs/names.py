"""Names of PgQueuer's tables.

PgQueuer would read them from the environment, which only the gateway's settings do.
"""

from __future__ import annotations

from typing import Final

from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import Driver
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel
from pgqueuer.queries import Queries

CHANNEL: Final = Channel("ch_pgqueuer")
NAMES: Final = DBSettings(
    prefix="", db_schema=None, channel=CHANNEL, function="fn_pgqueuer_changed", trigger="tg_pgqueuer_changed",
    queue_table="pgqueuer", queue_table_log="pgqueuer_log", statistics_table="pgqueuer_statistics",
    schedules_table="pgqueuer_schedules", queue_status_type="pgqueuer_status", durability=Durability.durable,
    widen_id=True,
)  # fmt: skip
TABLES: Final = frozenset({NAMES.queue_table, NAMES.queue_table_log, NAMES.statistics_table, NAMES.schedules_table})
INSTALL: Final = QueryBuilderEnvironment(NAMES).build_install_query()
"""SQL that creates PgQueuer's tables."""
UNINSTALL: Final = QueryBuilderEnvironment(NAMES).build_uninstall_query()


def queries(driver: Driver) -> Queries:
    return Queries(
        driver, qbe=QueryBuilderEnvironment(NAMES), qbq=QueryQueueBuilder(NAMES), qbs=QuerySchedulerBuilder(NAMES)
    )
