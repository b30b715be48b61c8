"""The measuring: in every round each case is put to each server, so that all share the machine's moods."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from benchmarks import load
from benchmarks.cases import CASES, WRITING, Sample, forget_created
from benchmarks.contestants import Running

BASE: Final = "gateway"
"""Whose costs the others are compared with."""


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 5
    seconds: float = 1.5
    first_warm_up: float = 4.0
    """Seconds before the first round: V8 compiles what it has seen often enough."""
    warm_up: float = 0.3


@dataclass(frozen=True)
class Reading:
    """One server, one case, one round. Costs are CPU-µs a request."""

    per_second: float
    p50: float
    p99: float
    answers: int
    spent: dict[str, float]
    disturbed: float = 0.0
    """How many cores were busy with what has nothing to do with it."""

    @property
    def total(self) -> float:
        """The CPU-µs of a request, in all processes together."""
        return sum(self.spent.values())


@dataclass
class Results:
    """All readings, by case and server, in the order of the rounds."""

    readings: dict[str, dict[str, list[Reading]]] = field(default_factory=dict)

    def add(self, case: str, server: str, reading: Reading) -> None:
        """Take down a reading."""
        self.readings.setdefault(case, {}).setdefault(server, []).append(reading)

    def middle(self, case: str, server: str, what: Callable[[Reading], float]) -> float:
        """The median of something over all rounds."""
        return median(what(reading) for reading in self.readings[case][server])

    def ratios(self, case: str, server: str) -> list[float]:
        """What a request costs here, as a multiple of what it costs the gateway in the same round; in order of size."""
        own = self.readings[case].get(BASE, [])
        return sorted(other.total / mine.total for other, mine in zip(self.readings[case][server], own, strict=False))

    def ratio(self, case: str, server: str) -> float | None:
        """The median of the ratios; None for the gateway itself, or where it was not measured."""
        ratios = self.ratios(case, server) if server != BASE else []
        return median(ratios) if ratios else None

    def disturbance(self) -> float:
        """How many cores were busy with other things, in the median."""
        return median(each.disturbed for case in self.readings.values() for server in case.values() for each in server)

    def as_json(self) -> Any:
        """For the file."""
        return {
            case: {server: [asdict(reading) for reading in readings] for server, readings in servers.items()}
            for case, servers in self.readings.items()
        }


def measure(servers: Sequence[Running], cases: Iterable[str], sample: Sample, effort: Effort) -> Results:
    """Put the cases to the servers. One server works at a time; their order changes from round to round."""
    asked = {
        case: {each.kind.name: each.requests(case, sample) for each in servers if case in each.kind.dialect.cases}
        for case in CASES
        if case in cases
    }
    results, order = Results(), list(servers)
    chance = random.Random(2)  # noqa: S311 - repeatable on purpose
    for number in range(effort.rounds):
        for case, requests in asked.items():
            chance.shuffle(order)
            for server in order:
                if server.kind.name in requests:
                    warm_up = effort.warm_up if number else effort.first_warm_up
                    reading = _read(server, case, requests[server.kind.name], effort.seconds, warm_up)
                    results.add(case, server.kind.name, reading)
        print(f"round {number + 1} of {effort.rounds} is done", flush=True)  # noqa: T201 - a command's progress
    return results


def _read(server: Running, case: str, requests: Sequence[bytes], seconds: float, warm_up: float) -> Reading:
    offset = random.randrange(len(requests))  # noqa: S311 - so that rounds do not all ask for the same rows
    try:
        tally = load.run(server.port, requests, server.spent, seconds=seconds, warm_up=warm_up, offset=offset)
    except load.WrongAnswerError as error:
        raise RuntimeError(f"{server.kind.title} failed at the case `{case}`: {error}") from error
    if case in WRITING:
        forget_created(server.servers, server.kind.database)
    return reading_of(tally)


def reading_of(tally: load.Tally) -> Reading:
    """What a stretch of asking says about one request."""
    answers = len(tally.latencies)
    spent = dict(tally.spent)
    others = spent.pop(load.EVERYTHING, 0.0) - sum(spent.values())
    return Reading(
        tally.per_second, tally.percentile(0.5), tally.percentile(0.99), answers,
        {part: seconds / answers * 1e6 for part, seconds in spent.items()}, max(others, 0.0) / tally.seconds,
    )  # fmt: skip
