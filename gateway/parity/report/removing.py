"""Remove the rules of a catalogue in memory, one at a time, to see whether the proof notices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.parity.cases.case import Case
from gateway.parity.judging.measured import MeasuredMatrix
from gateway.parity.judging.proof import Findings, Proof
from gateway.parity.report.matrix import Cells, deviations
from services.catalogue import Catalogue, Kind, Operation, everyone
from services.catalogue.resources import Resource

Change = Callable[[], Callable[[], None]]
"""Removes a rule, and returns a function that restores it."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A rule: its name, the function that removes it, and a predicate for the calls that it could concern."""

    name: str
    change: Change
    concerns: Callable[[Operation, Case], bool]
    of_policy: bool = False


def removals(catalogue: Catalogue) -> Iterator[Removal]:
    """Yield every rule, mask, `where` and scope of a catalogue."""
    relations = [relation for resource in catalogue.resources.values() for relation in resource.relations.values()]
    for resource in catalogue.resources.values():
        yield from _of_policy(resource)
        # Without a relation to it, a resource is read by operations alone, which have scopes of their own.
        if any(relation.target is resource and relation.source is not resource for relation in relations):
            yield Removal(f"read scope {resource.name}", _without_read_scope(resource), _includes(resource))
    for operation in catalogue.operations.values():
        yield from _of_operation(operation)


def _of_policy(resource: Resource[Any]) -> Iterator[Removal]:
    policy = resource.policy
    actions: dict[int, list[str]] = {}
    for action, rule in policy.rules.items():
        if rule is not everyone:
            actions.setdefault(id(rule), []).append(action)
    # A rule that stands for several actions is removed from all of them at once.
    for names in actions.values():
        change = _entries(policy.rules, names)
        yield Removal(
            f"rule {resource.name}.{'/'.join(names)}", change, _by_actions(resource, names), of_policy=True
        )  # fmt: skip
    for field in policy.masks:
        yield Removal(
            f"mask {resource.name}.{field}", _entries(policy.masks, [field]), _gets(resource), of_policy=True
        )  # fmt: skip


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
        lists = called.kind is Kind.LIST and "list" in actions
        acts = called.action in actions or (called.action not in resource.policy.rules and "update" in actions)
        return called.resource is resource and not case.include and (acts or lists or "read" in actions)

    return concerns


def _gets(resource: Resource[Any]) -> Callable[[Operation, Case], bool]:
    return lambda called, case: called.resource is resource and called.kind is Kind.GET and not case.include


def _includes(resource: Resource[Any]) -> Callable[[Operation, Case], bool]:
    def concerns(called: Operation, case: Case) -> bool:
        source = called.resource if case.include else None
        return source is not None and source is not resource and source.relations[case.include].target is resource

    return concerns


def _entries(rules: dict[str, Any], names: Iterable[str]) -> Change:
    def change() -> Callable[[], None]:
        before = {name: rules[name] for name in names}
        rules.update(dict.fromkeys(before, everyone))
        return lambda: rules.update(before)

    return change


def _attribute(operation: Operation, name: str, value: Any) -> Change:
    def change() -> Callable[[], None]:
        before = getattr(operation, name)
        # Operations are frozen.
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
    """Return whether the recorded calls of the proof fail without a rule.

    The sandbox keeps what was compiled without the rule until it is renewed.
    """
    concerned = [
        (operation, case) for operation, case in proof.planned if case.recorded and removal.concerns(operation, case)
    ]
    # Lists first: they show several rows, so they are the likeliest to fail.
    concerned.sort(key=lambda planned: planned[0].kind is not Kind.LIST)
    restore = removal.change()
    try:
        proof.sandbox.renew(policies_only=removal.of_policy)
        findings = Findings(MeasuredMatrix(proof.world))
        for operation, case in concerned:
            await proof.call(operation, case, findings)
            if not findings.agree or any(deviations(recorded, findings.measured, whole=False)):
                return True
    finally:
        restore()
    return False
