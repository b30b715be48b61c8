"""The proof: every call on all its ways, compared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from gateway.parity.calls.answers import Answer
from gateway.parity.calls.outcomes import Normaliser, differing, known_keys, without
from gateway.parity.calls.ways import SERVICES, Made, Ways
from gateway.parity.cases.case import Case
from gateway.parity.cases.cases import cases
from gateway.parity.judging.declared import Declared, Difference, declared
from gateway.parity.judging.measured import Measured
from gateway.parity.world.callers import Caller, callers
from gateway.parity.world.sandbox import Sandbox
from gateway.parity.world.world import ROLES, World
from services.catalogue import Operation
from services.catalogue.problems import INSUFFICIENT_SCOPE, INVALID_TOKEN

Raw = tuple[Answer, Mapping[str, Any]]


@dataclass(slots=True)
class Findings:
    """What the proof has found. `faults` are sentences about calls that must be refused and were not, or not so."""

    measured: Measured
    calls: int = 0
    compared: int = 0
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    deliberate: dict[Declared, int] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """By operation and case, the outcome for each caller: of the first inputs."""

    @property
    def agree(self) -> bool:
        """Whether nothing was found."""
        return not self.differences and not self.faults


@dataclass(slots=True)
class Proof:
    """Makes calls in a sandbox over a world.

    The cases are chosen when the proof is made, so that they stay the same whatever is done to the catalogue then.
    """

    sandbox: Sandbox
    world: World
    prefix: str
    planned: Sequence[tuple[Operation, Case]] = field(init=False)
    _ways: Ways = field(init=False)
    _normaliser: Normaliser = field(init=False)

    def __post_init__(self) -> None:
        operations = self.sandbox.gateway.catalogue.operations.values()
        self.planned = [(operation, case) for operation in operations for case in cases(self.world, operation)]
        self._normaliser = Normaliser(known_keys(self.sandbox.before), self.world.started)
        self._ways = Ways(self.sandbox, self.prefix)

    async def run(self, planned: Iterable[tuple[Operation, Case]] | None = None, by: Collection[str] = ()) -> Findings:
        """Make the planned calls, or only some of them; `by`: further inputs by these roles only, to be quicker."""
        started = perf_counter()
        findings = Findings(Measured(self.world))
        for operation, case in self.planned if planned is None else planned:
            await self.call(operation, case, findings, by)
        findings.seconds = perf_counter() - started
        return findings

    async def call(self, operation: Operation, case: Case, findings: Findings, by: Collection[str] = ()) -> None:
        """Make a call as everybody."""
        for made in self._calls(operation, case):
            if case.recorded or case.is_written or not by or made.caller.role in by:
                await self._compare(made, findings)

    def _calls(self, operation: Operation, case: Case) -> Iterator[Made]:
        for caller in callers(self.world, case.needs):
            if case.is_written and caller.name != ROLES[-1]:
                continue
            # Who may not call at all does so with one input, who can do what somebody else can with the first ones.
            if case.needs or (caller.is_full and (caller.column or case.recorded)):
                yield Made(operation, caller, case, self._identifier(operation, case, caller))

    def _identifier(self, operation: Operation, case: Case, caller: Caller) -> str | None:
        if not operation.on_a_row or case.id is not None:
            return case.id
        assert operation.resource is not None
        # Who has none of their own asks for somebody's.
        row = self.world.row(operation.resource, case.target, caller.role)
        row = row or next(found for (name, _), found in self.world.own.items() if name == operation.resource.name)
        return row.id

    async def _compare(self, made: Made, findings: Findings) -> None:
        """Make a call on all ways."""
        found: dict[str, Raw] = {}
        for name in self._ways.of(made.operation):
            found[name] = await self._call(made, name)
            findings.calls += 1
        findings.compared += 1
        self._note(made, found[SERVICES][0], findings)
        reference = found[SERVICES]
        for name, raw in found.items():
            if not _equal(reference, raw):
                await self._judge(made, name, reference, raw, findings)

    async def _call(self, made: Made, way: str) -> Raw:
        """One call on one way, and the rows that it has changed, after which all is as before."""
        wrote = not made.operation.is_read
        answer = await self._ways.of(made.operation)[way](made)
        return answer, await self.sandbox.undo(wrote=wrote)

    async def _judge(self, made: Made, way: str, reference: Raw, raw: Raw, findings: Findings) -> None:
        """Whether two outcomes that are not the same to the letter are equal all the same."""
        expected, found = self._normaliser.outcome(*reference), self._normaliser.outcome(*raw)
        one, other = expected.plain(), found.plain()
        if one == other:
            return
        # What is another at each call of the same way is no difference between ways.
        again = self._normaliser.outcome(*await self._call(made, SERVICES)).plain()
        varying = list(differing(one, again))
        one, other = without(one, varying), without(other, varying)
        if one == other:
            return
        difference = Difference(made, way, expected, found, tuple(differing(one, other)))
        reason = declared(difference)
        if reason is not None:
            findings.deliberate[reason] = findings.deliberate.get(reason, 0) + 1
        else:
            findings.differences.append(difference)

    def _note(self, made: Made, answer: Answer, findings: Findings) -> None:
        caller, case = made.caller, made.case
        label = answer.problem or "ok"
        if caller.lacks and (label != INSUFFICIENT_SCOPE.code or (answer.members or {}).get("scope") != caller.lacks):
            findings.faults.append(f"{made}: {label}, though the scope is missing.")
        if caller.actor is None and made.operation.scope is not None and label != INVALID_TOKEN.code:
            findings.faults.append(f"{made}: {label}, though the credential is worth nothing.")
        if case.recorded:
            findings.outcomes.setdefault((made.operation.name, case.name), {})[caller.name] = label
            if caller.column:
                findings.measured.note(made, answer)


def _equal(one: Raw, other: Raw) -> bool:
    left, right = one[0], other[0]
    return (
        (left.data, left.problem, left.errors, one[1]) == (right.data, right.problem, right.errors, other[1])
        and _told(left) == _told(right)
    )  # fmt: skip


def _told(answer: Answer) -> dict[str, Any]:
    members = answer.members or {}
    return {name: value for name, value in members.items() if name not in ("errors", "request_id")}
