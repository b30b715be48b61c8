"""What the gateway counts of itself for Prometheus, where the setting METRICS asks for it.

Counters belong to the process, as prometheus_client has them. Where several processes serve, each keeps its numbers in
a file of the folder that PROMETHEUS_MULTIPROC_DIR names, and the one that is asked adds them all up: those of workers
that have died as well, since a counter must not fall. `gateway serve` makes that folder; whoever starts workers by
other means names an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.errors import SettingsError
from services.process.observation import ReadPath

METRICS_PATH: Final = "/metrics"
WORKERS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own variable, no setting: it is read by the library, when that is imported."""

FACES: Final = ("rest", "graphql")
_LABELS: Final[dict[ReadPath | None, str]] = {"compiled": "compiled", "general": "general", None: "none"}

_counting: dict[ReadPath | None, Callable[[], None]] = {}
"""What counts one more request, by the way of its reads; empty where nothing is counted."""

_deprecated: dict[tuple[str, str], Callable[[], None]] = {}
"""What counts one more use of a deprecated member, by face and name."""


def count_request(read: ReadPath | None) -> None:
    """Count a request that is over, by the way its reads went; None where nothing was read."""
    if _counting:
        _counting[read]()


def count_deprecated(used: Iterable[tuple[str, str]]) -> None:
    """Count a use of each deprecated member: its face and its name, one of those that `metrics_routes` was given."""
    for each in used:
        if each in _deprecated:
            _deprecated[each]()


class BudgetMeter:
    """Counts what the budgets charge, where anything is counted (services/process/budget/budget.py)."""

    def __init__(self) -> None:
        self.counters: Mapping[tuple[str, str], Any] = {}

    def charged(self, face: str, points: int) -> None:
        """Points were charged."""
        if self.counters:
            self.counters["charged", face].inc(points)

    def refused(self, face: str) -> None:
        """A request was refused."""
        if self.counters:
            self.counters["refused", face].inc()

    def local(self, face: str) -> None:
        """A worker decided without Redis."""
        if self.counters:
            self.counters["local", face].inc()


BUDGET_METER: Final = BudgetMeter()

_BUDGET_COUNTERS: Final = {
    "charged": ("gateway_budget_points_total", "Points charged to the callers' budgets."),
    "refused": ("gateway_budget_refusals_total", "Requests refused because a budget was used up or too small."),
    "local": ("gateway_budget_local_total", "Charges that a worker decided by itself, since Redis did not answer."),
}


def metrics_routes(deprecated: Iterable[str] = (), *, budgets: bool = False) -> list[BaseRoute]:
    """`/metrics`, in Prometheus' text format; from here on the requests of this process are counted, and what they are
    charged where there are budgets.

    `deprecated` are the names of all members whose use is counted.

    Raises SettingsError where PROMETHEUS_MULTIPROC_DIR names no folder.
    """
    # Imported on demand: most gateways have no use for it.
    import prometheus_client
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = prometheus_client.CollectorRegistry()
    together = WORKERS_FOLDER in os.environ
    if together:
        try:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        except ValueError:
            raise SettingsError(f"{WORKERS_FOLDER} must name a folder.") from None
    # When a series began is told by one process alone, not by several together: so by neither.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    requests = prometheus_client.Counter(
        "gateway_requests_total",
        "HTTP requests by the way their reads went: a compiled plan, or the resolvers (general).",
        ["read"],
        registry=None if together else registry,
    )
    # Bound now, so that a request costs no look-up of labels, and all series are there from the start.
    _counting.update({read: requests.labels(label).inc for read, label in _LABELS.items()})

    members = list(deprecated)
    if members:
        uses = prometheus_client.Counter(
            "gateway_deprecated_total",
            "Requests that used something deprecated, by the face and the member.",
            ["face", "member"],
            registry=None if together else registry,
        )
        _deprecated.update({(face, each): uses.labels(face, each).inc for face in FACES for each in members})
    if budgets:
        BUDGET_METER.counters = {
            (what, face): counter.labels(face)
            for what, (name, words) in _BUDGET_COUNTERS.items()
            for counter in [prometheus_client.Counter(name, words, ["face"], registry=None if together else registry)]
            for face in FACES
        }

    # Not a coroutine function: it runs in a thread, since it reads the files of all workers.
    def metrics(request: Request) -> Response:
        text = prometheus_client.generate_latest(registry)
        # The version that every Prometheus reads; these names are the same in all of them.
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_PLAIN_0_0_4)

    return [Route(METRICS_PATH, metrics)]
