"""Whether an actor's credentials let them call an operation, or read a resource: the check before everything else.

What the user may do with single rows is the policies' business (services/catalogue/policies.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.catalogue.actors import Actor, Client
from services.catalogue.calls import Trace
from services.catalogue.operations import Operation
from services.catalogue.policies import Rule
from services.catalogue.problems import INSUFFICIENT_SCOPE, UNAUTHENTICATED, Problem
from services.catalogue.resources import Relation, Resource
from services.process import observation
from services.queries.selections import Query
from services.reader.shapes import BoundInput


@dataclass(frozen=True, slots=True)
class Admitted:
    """That an actor may call an operation. `Gateway.admit` alone makes it, and nothing is written without it."""

    operation: Operation
    actor: Actor
    client: Client = field(default_factory=Client)
    trace: Trace = field(default_factory=Trace)


class Readable(NamedTuple):
    """That an actor may read a resource, where `where` holds. `allow` alone makes it, and no field is read without."""

    resource: Resource[Any]
    actor: Actor
    where: Rule | None = None


def authorize(operation: Operation, actor: Actor) -> None:
    """The check before everything else, noted. Raises `unauthenticated` or `insufficient_scope`."""
    observation.note(operation.name, str(actor))
    if operation.scope is not None:
        _require(operation.scope, actor)


def allow(asked: Operation | Relation | Resource[Any], actor: Actor) -> Readable:
    """Whether what an operation reads, the rows of a relation or a resource may be read; the first two are noted.

    Reading a relation needs the scopes of both its ends. Raises as `authorize`.
    """
    if isinstance(asked, Operation):
        authorize(asked, actor)
        assert asked.resource is not None
        return Readable(asked.resource, actor, asked.where)
    if isinstance(asked, Relation):
        observation.note(f"list_{asked.source.name}_{asked.name}", str(actor))
        _require(asked.source.read_scope, actor)
        return allow(asked.target, actor)
    _require(asked.read_scope, actor)
    return Readable(asked, actor)


def authorize_query(query: Query, inputs: Sequence[Any], actor: Actor) -> None:
    """Whatever a query reads must be readable with the actor's scopes. Raises as `authorize`."""
    if not actor.is_anonymous and query.scopes <= actor.scopes and not query.nodes:
        return
    authorize_resources(query.resources, actor)
    for slot in query.nodes:
        found = inputs[slot]
        authorize_resources(found.resources if type(found) is BoundInput else (each for each, _ in found), actor)


def authorize_resources(resources: Iterable[Resource[Any]], actor: Actor) -> None:
    """Reading a resource needs its scope, on whatever path. Raises as `authorize`."""
    for each in resources:
        _require(each.read_scope, actor)


def may_read(resources: Iterable[Resource[Any]], actor: Actor) -> bool:
    """Whether an actor's credentials let them read these resources."""
    return not actor.is_anonymous and all(each.read_scope in actor.scopes for each in resources)


def _require(scope: str, actor: Actor) -> None:
    if actor.is_anonymous:
        raise Problem(UNAUTHENTICATED)
    if scope and scope not in actor.scopes:
        raise Problem(INSUFFICIENT_SCOPE, f"This needs the scope {scope}.", scope=scope)
