"""Whether an actor's credentials let them call an operation, or read a resource: the check before everything else.

What the user may do with single rows is the policies' business (services/catalogue/policies.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.catalogue.actors import Actor
from services.catalogue.operations import Operation
from services.catalogue.problems import INSUFFICIENT_SCOPE, UNAUTHENTICATED, Problem
from services.catalogue.resources import Relation, Resource
from services.process import observation
from services.queries.selections import Query


def authorize(operation: Operation, actor: Actor) -> None:
    """The check before everything else, noted. Raises `unauthenticated` or `insufficient_scope`."""
    observation.note(operation.name, str(actor))
    if operation.scope is not None:
        _require(operation.scope, actor)


def authorize_relation(relation: Relation, actor: Actor) -> None:
    """Reading a relation needs the scopes of both its ends; noted. Raises as `authorize`."""
    observation.note(f"list_{relation.source.name}_{relation.name}", str(actor))
    authorize_read(relation.source, actor)
    authorize_read(relation.target, actor)


def authorize_read(resource: Resource[Any], actor: Actor) -> None:
    """Reading a resource needs its scope, on whatever path. Raises `unauthenticated` or `insufficient_scope`."""
    _require(resource.read_scope, actor)


def authorize_query(query: Query, actor: Actor) -> None:
    """Whatever a query reads must be readable with the actor's scopes. Raises as `authorize_read`."""
    for resource in query.resources:
        authorize_read(resource, actor)


def may_read(resources: Iterable[Resource[Any]], actor: Actor) -> bool:
    """Whether an actor's credentials let them read these resources."""
    return not actor.is_anonymous and all(each.read_scope in actor.scopes for each in resources)


def _require(scope: str, actor: Actor) -> None:
    if actor.is_anonymous:
        raise Problem(UNAUTHENTICATED)
    if scope and scope not in actor.scopes:
        raise Problem(INSUFFICIENT_SCOPE, f"This needs the scope {scope}.", scope=scope)
