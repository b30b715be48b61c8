"""Rules taken out of a catalogue, one at a time and in memory, to see whether the proof notices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.parity.cases.case import Case
from gateway.parity.judging.measured import Measured
from gateway.parity.judging.proof import Findings, Proof
from gateway.parity.report.matrix import Cells, deviations
from services.catalogue import Catalogue, Kind, Operation, everyone
from services.catalogue.resources import Resource

Change = Callable[[], Callable[[], None]]
"""Takes a rule out; what it returns puts it back."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A rule: what it is called, how it is taken out, and which calls it could concern."""

    name: str
    change: Change
    concerns: Callable[[Operation, Case], bool]
    of_policy: bool = False


def removals(catalogue: Catalogue) -> Iterator[Removal]:
    """Every rule, mask, `where` and scope of a catalogue."""
    for resource in catalogue.resources.values():
        yield from _of_policy(resource)
        # What no relation leads to is read by operations alone, which have scopes of their own.
        above = (relation for each in catalogue.resources.values() for relation in each.relations.values())
        if any(relation.target is resource and relation.source is not resource for relation in above):
            yield Removal(f"read scope {resource.name}", _without_read_scope(resource), _reads_along(resource))
    for operation in catalogue.operations.values():
        yield from _of_operation(operation)


def _of_policy(resource: Resource[Any]) -> Iterator[Removal]:
    policy = resource.policy
    for rule in {id(each): each for each in policy.rules.values()}.values():
        if rule is not everyone:
            # One rule may stand for several actions, and is taken out wherever it stands.
            actions = [action for action, each in policy.rules.items() if each is rule]
            yield Removal(
                f"rule {resource.name}.{'/'.join(actions)}", _entries(policy.rules, actions, everyone),
                _by_actions(resource, actions), of_policy=True,
            )  # fmt: skip
    for field in policy.masks:
        yield Removal(
            f"mask {resource.name}.{field}", _entries(policy.masks, [field], everyone), _gets(resource), of_policy=True
        )


def _of_operation(operation: Operation) -> Iterator[Removal]:
    def itself(called: Operation, case: Case) -> bool:
        return called is operation

    if operation.where is not None:
        yield Removal(f"where {operation.name}", _attribute(operation, "where", everyone), itself)
    if operation.scope is not None:
        yield Removal(
            f"scope {operation.name}", _attribute(operation, "scope", "" if operation.scope else None), itself
        )


def _by_actions(resource: Resource[Any], actions: Collection[str]) -> Callable[[Operation, Case], bool]:
    def concerns(called: Operation, case: Case) -> bool:
        listed = called.kind is Kind.LIST and "list" in actions
        own = called.action in actions or (called.action not in resource.policy.rules and "update" in actions)
        return called.resource is resource and not case.include and (own or listed or "read" in actions)

    return concerns


def _gets(resource: Resource[Any]) -> Callable[[Operation, Case], bool]:
    return lambda called, case: called.resource is resource and called.kind is Kind.GET and not case.include


def _reads_along(resource: Resource[Any]) -> Callable[[Operation, Case], bool]:
    def concerns(called: Operation, case: Case) -> bool:
        above = called.resource if case.include else None
        return above is not None and above is not resource and above.relations[case.include].target is resource

    return concerns


def _entries(rules: dict[str, Any], names: Iterable[str], value: Any) -> Change:
    def change() -> Callable[[], None]:
        before = {name: rules[name] for name in names}
        rules.update(dict.fromkeys(before, value))
        return lambda: rules.update(before)

    return change


def _attribute(operation: Operation, name: str, value: Any) -> Change:
    def change() -> Callable[[], None]:
        before = getattr(operation, name)
        # Declarations are frozen, against everything but this.
        object.__setattr__(operation, name, value)
        return lambda: object.__setattr__(operation, name, before)

    return change


def _without_read_scope(resource: Resource[Any]) -> Change:
    def change() -> Callable[[], None]:
        before = type(resource)
        resource.__class__ = type(before.__name__, (before,), {"read_scope": ""})
        return lambda: setattr(resource, "__class__", before)

    return change


async def is_caught(removal: Removal, proof: Proof, recorded: Cells) -> bool:
    """Whether the proof goes red without a rule, by what it calls with first inputs.

    What was compiled without the rule stays: whoever goes on with the sandbox renews it.
    """
    concerned = [(o, c) for o, c in proof.planned if c.recorded and removal.concerns(o, c)]
    restore = removal.change()
    try:
        proof.sandbox.renew(policies_only=removal.of_policy)
        findings = Findings(Measured(proof.world))
        for operation, case in _tellingly(concerned):
            await proof.call(operation, case, findings)
            if not findings.agree or any(deviations(recorded, findings.measured, whole=False)):
                return True
    finally:
        restore()
    return False


def _tellingly(planned: Iterable[tuple[Operation, Case]]) -> list[tuple[Operation, Case]]:
    """Lists first, which show more than one row."""
    return sorted(planned, key=lambda each: each[0].kind is not Kind.LIST)
