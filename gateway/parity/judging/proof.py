"""Make every call on all its paths, and compare the outcomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from gateway.parity.calls.answers import CallResult
from gateway.parity.calls.outcomes import Normaliser, differing, known_keys, without
from gateway.parity.calls.ways import SERVICES, CallPaths, Invocation
from gateway.parity.cases.case import Case
from gateway.parity.cases.cases import cases
from gateway.parity.judging.declared import Difference, IntendedDifference, intended_difference
from gateway.parity.judging.measured import MeasuredMatrix
from gateway.parity.world.callers import Caller, callers
from gateway.parity.world.sandbox import Sandbox
from gateway.parity.world.world import ROLES, World, resource_of
from services.catalogue import Operation
from services.catalogue.problems import INSUFFICIENT_SCOPE, INVALID_TOKEN

Raw = tuple[CallResult, Mapping[str, Any]]


@dataclass(slots=True)
class Findings:
    """The findings of the proof; `faults` are sentences about calls that were not refused as they must be."""

    measured: MeasuredMatrix
    calls: int = 0
    compared: int = 0
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    deliberate: dict[IntendedDifference, int] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """The outcome for each caller, by operation and recorded case."""

    @property
    def agree(self) -> bool:
        """Whether there are no undeclared differences and no faults."""
        return not self.differences and not self.faults


@dataclass(slots=True)
class Proof:
    """Makes calls in a sandbox over a world.

    The cases are derived at construction, so that later changes to the catalogue do not affect them.
    """

    sandbox: Sandbox
    world: World
    prefix: str
    planned: Sequence[tuple[Operation, Case]] = field(init=False)
    _ways: CallPaths = field(init=False)
    _normaliser: Normaliser = field(init=False)

    def __post_init__(self) -> None:
        operations = self.sandbox.gateway.catalogue.operations.values()
        self.planned = [(operation, case) for operation in operations for case in cases(self.world, operation)]
        self._normaliser = Normaliser(known_keys(self.sandbox.before), self.world.started)
        self._ways = CallPaths(self.sandbox, self.prefix)

    async def run(self, planned: Iterable[tuple[Operation, Case]] | None = None, by: Collection[str] = ()) -> Findings:
        """Make the planned calls, or some of them; only callers of the roles `by`, if given, make unrecorded ones."""
        started = perf_counter()
        findings = Findings(MeasuredMatrix(self.world))
        for operation, case in self.planned if planned is None else planned:
            await self.call(operation, case, findings, by)
        findings.seconds = perf_counter() - started
        return findings

    async def call(self, operation: Operation, case: Case, findings: Findings, by: Collection[str] = ()) -> None:
        """Call an operation with a case's input as every caller, and enter the results in `findings`."""
        for made in self._calls(operation, case):
            if case.recorded or case.is_written or not by or made.caller.role in by:
                await self._compare(made, findings)

    def _calls(self, operation: Operation, case: Case) -> Iterator[Invocation]:
        for caller in callers(self.world, case.needs):
            if case.is_written and caller.name != ROLES[-1]:
                continue
            # Callers without rights make only calls with `needs`, callers without a column those and recorded ones.
            if case.needs or (caller.is_full and (caller.column or case.recorded)):
                yield Invocation(operation, caller, case, self._identifier(operation, case, caller))

    def _identifier(self, operation: Operation, case: Case, caller: Caller) -> str | None:
        if not operation.on_a_row or case.id is not None:
            return case.id
        resource = resource_of(operation)
        row = self.world.row(resource, case.target, caller.role)
        # A caller without an own row calls about another caller's.
        return (row or next(row for (name, _), row in self.world.own.items() if name == resource.name)).id

    async def _compare(self, made: Invocation, findings: Findings) -> None:
        results: dict[str, Raw] = {}
        for way in self._ways.of(made.operation):
            results[way] = await self._call(made, way)
            findings.calls += 1
        findings.compared += 1
        reference = results[SERVICES]
        self._note(made, reference[0], findings)
        expected = _comparable(reference)
        for way, result in results.items():
            if _comparable(result) != expected:
                await self._judge(made, way, reference, result, findings)

    async def _call(self, made: Invocation, way: str) -> Raw:
        """Call on one path and undo the call; return the answer and the rows that it changed."""
        answer = await self._ways.of(made.operation)[way](made)
        return answer, await self.sandbox.undo(wrote=not made.operation.is_read)

    async def _judge(self, made: Invocation, way: str, reference: Raw, result: Raw, findings: Findings) -> None:
        """Enter a difference if the results still differ once they are normalised."""
        expected, found = self._normaliser.outcome(*reference), self._normaliser.outcome(*result)
        if expected == found:
            return
        # A value that varies between two calls on the same path is no difference between paths.
        again = self._normaliser.outcome(*await self._call(made, SERVICES))
        varying = list(differing(asdict(expected), asdict(again)))
        left, right = without(asdict(expected), varying), without(asdict(found), varying)
        if left == right:
            return
        difference = Difference(made, way, expected, found, tuple(differing(left, right)))
        declaration = intended_difference(difference)
        if declaration is not None:
            findings.deliberate[declaration] = findings.deliberate.get(declaration, 0) + 1
        else:
            findings.differences.append(difference)

    def _note(self, made: Invocation, answer: CallResult, findings: Findings) -> None:
        caller, case = made.caller, made.case
        label = answer.problem or "ok"
        if caller.lacks and (label != INSUFFICIENT_SCOPE.code or (answer.members or {}).get("scope") != caller.lacks):
            findings.faults.append(f"{made}: {label}, though the scope is missing.")
        if caller.actor is None and made.operation.scope is not None and label != INVALID_TOKEN.code:
            findings.faults.append(f"{made}: {label}, though the credential is invalid.")
        if case.recorded:
            findings.outcomes.setdefault((made.operation.name, case.name), {})[caller.name] = label
            if caller.column:
                findings.measured.note(made, answer)


def _comparable(result: Raw) -> tuple[Any, ...]:
    """Return the parts of a result that are equal on all paths unless they hold new keys or instants."""
    answer, rows = result
    members = {
        name: value for name, value in (answer.members or {}).items() if name not in ("errors", "request_id")
    }  # fmt: skip
    return answer.data, answer.problem, answer.errors, rows, members
