"""Counters for Prometheus, if the setting METRICS is on.

Counters belong to the process, as in prometheus_client. Several processes keep their numbers in files of the folder
that PROMETHEUS_MULTIPROC_DIR names, and the process that serves a request adds them up, those of ended workers
included, since a counter must not fall. `gateway serve` creates that folder; other ways to start workers must name an
empty one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.errors import SettingsError
from services.process.observation import ReadPath

METRICS_PATH: Final = "/metrics"
WORKERS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""An environment variable that prometheus_client reads when it is imported; no setting."""

FACES: Final = ("rest", "graphql")
_LABELS: Final[dict[ReadPath | None, str]] = {"compiled": "compiled", "general": "general", None: "none"}

_counting: dict[ReadPath | None, Callable[[], None]] = {}
"""Functions that count a request, by the path of its reads; empty without metrics."""

_deprecated: dict[tuple[str, str], Callable[[], None]] = {}
"""Functions that count a use of a deprecated member, by face and name."""


def count_request(read: ReadPath | None) -> None:
    """Count a completed request by the path of its reads; None if it read nothing."""
    if _counting:
        _counting[read]()


def count_deprecated(used: Iterable[tuple[str, str]]) -> None:
    """Count a use of each deprecated member, by face and name, if `metrics_routes` was given the name."""
    for member in used:
        if member in _deprecated:
            _deprecated[member]()


class BudgetMeter:
    """Counts charges to budgets, if metrics are on (services/process/budget/budget.py)."""

    def __init__(self) -> None:
        self.counters: Mapping[tuple[str, str], Any] = {}

    def charged(self, face: str, points: int) -> None:
        if self.counters:
            self.counters["charged", face].inc(points)

    def refused(self, face: str) -> None:
        if self.counters:
            self.counters["refused", face].inc()

    def local(self, face: str) -> None:
        if self.counters:
            self.counters["local", face].inc()


BUDGET_METER: Final = BudgetMeter()

_BUDGET_COUNTERS: Final = {
    "charged": ("gateway_budget_points_total", "Points charged to the callers' budgets."),
    "refused": ("gateway_budget_refusals_total", "Requests refused because a budget was used up or too small."),
    "local": ("gateway_budget_local_total", "Charges that a worker decided by itself, since Redis did not answer."),
}


def metrics_routes(deprecated: Iterable[str] = (), *, budgets: bool = False) -> list[BaseRoute]:
    """Return `/metrics`, in Prometheus' text format, and start counting the requests of this process.

    Uses of the members named in `deprecated` are counted and, with `budgets`, charges to these. Raises SettingsError if
    PROMETHEUS_MULTIPROC_DIR names no folder.
    """
    # Imported on demand: most gateways do not use it.
    import prometheus_client
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = prometheus_client.CollectorRegistry()
    is_shared = WORKERS_FOLDER in os.environ
    if is_shared:
        try:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        except ValueError:
            raise SettingsError(f"{WORKERS_FOLDER} must name a folder.") from None
    # A multi-process registry has no creation times, so a single process reports none either.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    counter = partial(prometheus_client.Counter, registry=None if is_shared else registry)
    _count_requests(counter)
    _count_uses(counter, list(deprecated))
    if budgets:
        _count_charges(counter)

    # Not a coroutine function, so that it runs in a thread: it reads the files of all workers.
    def metrics(request: Request) -> Response:
        text = prometheus_client.generate_latest(registry)
        # The format that every version of Prometheus reads; it has no escaping that these names would need.
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_PLAIN_0_0_4)

    return [Route(METRICS_PATH, metrics)]


def _count_requests(counter: Callable[..., Any]) -> None:
    requests = counter(
        "gateway_requests_total",
        "HTTP requests by the way their reads went: a compiled plan, or the resolvers (general).",
        ["read"],
    )
    # Bound here, so that requests look up no labels, and all series exist from the start.
    _counting.update({read: requests.labels(label).inc for read, label in _LABELS.items()})


def _count_uses(counter: Callable[..., Any], members: list[str]) -> None:
    if members:
        uses = counter(
            "gateway_deprecated_total",
            "Requests that used something deprecated, by the face and the member.",
            ["face", "member"],
        )
        _deprecated.update({(face, member): uses.labels(face, member).inc for face in FACES for member in members})


def _count_charges(counter: Callable[..., Any]) -> None:
    counters = {event: counter(name, text, ["face"]) for event, (name, text) in _BUDGET_COUNTERS.items()}
    BUDGET_METER.counters = {
        (event, face): charges.labels(face) for event, charges in counters.items() for face in FACES
    }
