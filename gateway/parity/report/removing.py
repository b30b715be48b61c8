"""Remove the rules of a catalogue in memory, one at a time, to see whether the proof notices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.parity.cases.case import Case
from gateway.parity.judging.measured import MeasuredMatrix
from gateway.parity.judging.proof import Findings, Proof
from gateway.parity.report.matrix import Cells, deviations
from services.catalogue import Catalogue, Kind, Operation, everyone
from services.catalogue.resources import Resource


@dataclass(frozen=True, slots=True)
class Removal:
    """A rule by name: the attribute that holds it, its value without the rule, and the calls that it could concern."""

    name: str
    owner: Any
    attribute: str
    value: Any
    concerns: Callable[[Operation, Case], bool]

    @contextmanager
    def made(self) -> Iterator[None]:
        before = getattr(self.owner, self.attribute)
        # Operations are frozen.
        object.__setattr__(self.owner, self.attribute, self.value)
        try:
            yield
        finally:
            object.__setattr__(self.owner, self.attribute, before)


def removals(catalogue: Catalogue) -> Iterator[Removal]:
    """Yield every rule, mask, `where` and scope of a catalogue."""
    relations = [relation for resource in catalogue.resources.values() for relation in resource.relations.values()]
    for resource in catalogue.resources.values():
        yield from _of_policy(resource)
        # Without a relation to it, a resource is read by operations alone, which have scopes of their own.
        if any(relation.target is resource and relation.source is not resource for relation in relations):
            unscoped = type(type(resource).__name__, (type(resource),), {"read_scope": ""})
            yield Removal(f"read scope {resource.name}", resource, "__class__", unscoped, partial(_includes, resource))
    for operation in catalogue.operations.values():
        concerns = partial(_calls, operation)
        if operation.where is not None:
            yield Removal(f"where {operation.name}", operation, "where", everyone, concerns)
        if operation.scope is not None:
            without = "" if operation.scope else None
            yield Removal(f"scope {operation.name}", operation, "scope", without, concerns)


def _of_policy(resource: Resource[Any]) -> Iterator[Removal]:
    policy = resource.policy
    actions: dict[int, list[str]] = {}
    for action, rule in policy.rules.items():
        if rule is not everyone:
            actions.setdefault(id(rule), []).append(action)
    # A rule that stands for several actions is removed from all of them at once.
    for names in actions.values():
        name, rules = f"rule {resource.name}.{'/'.join(names)}", policy.rules | dict.fromkeys(names, everyone)
        yield Removal(name, policy, "rules", rules, partial(_acts, resource, names))
    for field in policy.masks:
        name, masks = f"mask {resource.name}.{field}", policy.masks | {field: everyone}
        yield Removal(name, policy, "masks", masks, partial(_gets, resource))


def _calls(operation: Operation, called: Operation, _case: Case) -> bool:
    return called is operation


def _acts(resource: Resource[Any], actions: Collection[str], called: Operation, case: Case) -> bool:
    lists = called.kind is Kind.LIST and "list" in actions
    acts = called.action in actions or (called.action not in resource.policy.rules and "update" in actions)
    return called.resource is resource and not case.include and (acts or lists or "read" in actions)


def _gets(resource: Resource[Any], called: Operation, case: Case) -> bool:
    return called.resource is resource and called.kind is Kind.GET and not case.include


def _includes(resource: Resource[Any], called: Operation, case: Case) -> bool:
    source = called.resource if case.include else None
    return source is not None and source is not resource and source.relations[case.include].target is resource


async def is_caught(removal: Removal, proof: Proof, recorded: Cells) -> bool:
    """Return whether the recorded calls of the proof fail without a rule. Afterwards the sandbox must be renewed."""
    concerned = [
        (operation, case) for operation, case in proof.planned if case.recorded and removal.concerns(operation, case)
    ]
    # Lists first: they show several rows, so they are the likeliest to fail.
    concerned.sort(key=lambda planned: planned[0].kind is not Kind.LIST)
    with removal.made():
        proof.sandbox.renew()
        findings = Findings(MeasuredMatrix(proof.world))
        for operation, case in concerned:
            await proof.call(operation, case, findings)
            if not findings.agree or any(deviations(recorded, findings.measured, whole=False)):
                return True
    return False
