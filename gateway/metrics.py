"""Counters for Prometheus, if the setting METRICS is on.

Several processes keep their numbers in files of the folder that PROMETHEUS_MULTIPROC_DIR names, and the one that serves
a request adds them up, those of ended workers included, since a counter must not fall. `gateway serve` creates that
folder; other ways to start workers must name an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import groupby, product
from operator import itemgetter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.errors import SettingsError

METRICS_PATH: Final = "/metrics"
WORKERS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""An environment variable that prometheus_client reads when it is imported; no setting."""

FACES: Final = ("rest", "graphql")
_COUNTERS: Final = {
    "requests": (
        "gateway_requests_total",
        "HTTP requests by the way their reads went: a compiled plan, or the resolvers (general).",
        ["read"],
    ),
    "deprecated": (
        "gateway_deprecated_total", "Requests that used something deprecated, by the face and the member.",
        ["face", "member"],
    ),
    "charged": ("gateway_budget_points_total", "Points charged to the callers' budgets.", ["face"]),
    "refused": (
        "gateway_budget_refusals_total", "Requests refused because a budget was used up or too small.", ["face"]
    ),
    "local": (
        "gateway_budget_local_total", "Charges that a worker decided by itself, since Redis did not answer.", ["face"]
    ),
}  # fmt: skip

_series: dict[tuple[str, ...], Callable[[float], None]] = {}
"""Functions that add to a time series, by the key of its counter and its labels; empty without metrics."""


def count(counter: str, *labels: str, points: float = 1) -> None:
    """Add to a counter of `_COUNTERS`, if `metrics_routes` has been told to count it with these labels."""
    add = _series.get((counter, *labels)) if _series else None
    if add is not None:
        add(points)


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
    series: list[tuple[str, ...]] = [("requests", "compiled"), ("requests", "general"), ("requests", "none")]
    series += product(("deprecated",), FACES, deprecated)
    series += product(("charged", "refused", "local"), FACES) if budgets else ()
    # Bound here, so that requests look up no labels, and all series exist from the start.
    for key, group in groupby(series, itemgetter(0)):
        counter = prometheus_client.Counter(*_COUNTERS[key], registry=None if is_shared else registry)
        _series.update({(key, *labels): counter.labels(*labels).inc for _, *labels in group})

    # Not a coroutine function, so that it runs in a thread: it reads the files of all workers.
    def metrics(request: Request) -> Response:
        text = prometheus_client.generate_latest(registry)
        # The format that every version of Prometheus reads; it has no escaping that these names would need.
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_PLAIN_0_0_4)

    return [Route(METRICS_PATH, metrics)]
