"""Make every call on all its paths, and compare the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from gateway.parity.calls.answers import CallResult
from gateway.parity.calls.outcomes import Normaliser, Outcome, differing, known_keys
from gateway.parity.calls.ways import SERVICES, CallPaths, Invocation, Path
from gateway.parity.cases.case import Case
from gateway.parity.cases.cases import cases
from gateway.parity.judging.declared import DECLARED, Difference, IntendedDifference
from gateway.parity.judging.measured import MeasuredMatrix
from gateway.parity.world.sandbox import Sandbox
from gateway.parity.world.world import ROLES, Caller, World, callers, resource_of
from services.catalogue import Operation
from services.catalogue.problems import INSUFFICIENT_SCOPE, INVALID_TOKEN


@dataclass(slots=True)
class Findings:
    """The findings of the proof.

    `faults` are sentences about calls that were not refused as they must be, `deviations` about lines that are not as
    recorded, `unmade` about resources of which no row could be made.
    """

    measured: MeasuredMatrix
    calls: int = 0
    compared: int = 0
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    unmade: Sequence[str] = ()
    deliberate: Counter[IntendedDifference] = field(default_factory=Counter)
    outcomes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """The outcome for each caller, by operation and recorded case."""

    @property
    def agree(self) -> bool:
        """Whether there are no undeclared differences, no faults and no deviations."""
        return not (self.differences or self.faults or self.deviations)


class Proof:
    """Makes calls in a sandbox over a world. Later changes to the catalogue do not affect which ones."""

    def __init__(self, sandbox: Sandbox, world: World) -> None:
        self.sandbox, self.world = sandbox, world
        operations = sandbox.gateway.catalogue.operations.values()
        self.planned = [(operation, case) for operation in operations for case in cases(world, operation)]
        self._normaliser = Normaliser(known_keys(sandbox.before), world.started)
        self._ways = CallPaths(sandbox)

    async def run(self, planned: Iterable[tuple[Operation, Case]], by: Collection[str] = ()) -> Findings:
        """Make planned calls; only callers of the roles `by`, if given, make unrecorded ones."""
        started = perf_counter()
        findings = Findings(MeasuredMatrix(self.world), unmade=self.world.unmade)
        for operation, case in planned:
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
            has_rights = caller.actor is not None and not caller.lacks
            if case.needs or (has_rights and (caller.column or case.recorded)):
                yield Invocation(operation, caller, case, self._identifier(operation, case, caller))

    def _identifier(self, operation: Operation, case: Case, caller: Caller) -> str | None:
        if not operation.on_a_row or case.id is not None:
            return case.id
        resource = resource_of(operation)
        row = self.world.row(resource, case.target, caller.role)
        # A caller without an own row calls about another caller's.
        return (row or next(row for (name, _), row in self.world.own.items() if name == resource.name)).id

    async def _compare(self, made: Invocation, findings: Findings) -> None:
        results = {way: await self._call(made, path) for way, path in self._ways.of(made.operation).items()}
        findings.calls += len(results)
        findings.compared += 1
        answer, expected = results.pop(SERVICES)
        self._note(made, answer, findings)
        for way, (_, found) in results.items():
            if found != expected:
                await self._judge(made, way, expected, found, findings)

    async def _call(self, made: Invocation, path: Path) -> tuple[CallResult, Outcome]:
        """Call on one path and undo the call; return the answer and the normalised outcome."""
        answer = await path(made)
        rows = await self.sandbox.undo(wrote=not made.operation.is_read)
        return answer, self._normaliser.outcome(answer, rows)

    async def _judge(self, made: Invocation, way: str, expected: Outcome, found: Outcome, findings: Findings) -> None:
        """Enter the difference of an outcome, unless it is only in values that vary on the same path, too."""
        _, again = await self._call(made, self._ways.of(made.operation)[SERVICES])
        varying = dict(differing(expected, again))
        differences = differing(expected, found)
        places = {path: both for path, both in differences if not any(path[: len(at)] == at for at in varying)}
        if not places:
            return
        difference = Difference(made, way, places)
        declaration = next((declared for declared in DECLARED if declared.applies(difference)), None)
        if declaration is not None:
            findings.deliberate[declaration] += 1
        else:
            findings.differences.append(difference)

    def _note(self, made: Invocation, answer: CallResult, findings: Findings) -> None:
        caller, case = made.caller, made.case
        label = answer.problem or "ok"
        if caller.lacks and (label != INSUFFICIENT_SCOPE.code or answer.members.get("scope") != caller.lacks):
            findings.faults.append(f"{made}: {label}, though the scope is missing.")
        if caller.actor is None and made.operation.scope is not None and label != INVALID_TOKEN.code:
            findings.faults.append(f"{made}: {label}, though the credential is invalid.")
        if case.recorded:
            findings.outcomes.setdefault((made.operation.name, case.name), {})[caller.name] = label
            if caller.column:
                findings.measured.note(made, answer)
