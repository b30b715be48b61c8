"""Presets: the operations that a resource comes with, and the decorators that make operations of functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase

from services.catalogue.batches import VERBS, batch_input
from services.catalogue.calls import Call
from services.catalogue.declaration import DeclarationError, Location, listing
from services.catalogue.deprecation import Deprecation, deprecations_of
from services.catalogue.models import InputModel, fields_of
from services.catalogue.operations import ON_A_ROW, READS, Check, Function, Gone, Kind, Operation
from services.catalogue.policies import Rule
from services.catalogue.problems import ProblemType
from services.catalogue.resources import Resource

M = TypeVar("M", bound=DeclarativeBase)


class DeclaredResource(Resource[M]):
    """A resource as its author declares it: with the presets of its operations, and actions.

    `services.catalogue` exports it as `Resource`. The classes are two because an Operation knows its Resource, and a
    preset makes Operations.
    """

    def list(
        self, *, name: str | None = None, address: str | None = None, where: Rule | None = None,
        deprecated: Deprecation | None = None,
    ) -> Operation:  # fmt: skip
        """List the rows that the actor may read (and that `where` holds for)."""
        description = f"List {self.nouns}, a page at a time."
        named = name or f"list_{self.plural}"
        return declare(named, Kind.LIST, self, address, description, where=where, deprecated=deprecated)

    def get(
        self, *, name: str | None = None, address: str | None = None, where: Rule | None = None, description: str = "",
        deprecated: Deprecation | None = None,
    ) -> Operation:  # fmt: skip
        """Get one row by its identifier, or, with `where`, the one row that it holds for."""
        description = description or f"Get one {self.noun}."
        named = name or f"get_{self.name}"
        return declare(named, Kind.GET, self, address, description, where=where, deprecated=deprecated)

    def delete(
        self, *, before: Check | None = None, gone: Gone | None = None, problems: Iterable[ProblemType] = (),
        statements: int = 1, description: str = "", deprecated: Deprecation | None = None,
    ) -> Operation:  # fmt: skip
        """Delete one row. `before(call, row)` may refuse or tidy up; `statements` counts its own and the deletion.

        `gone(call, keys)` is told of rows that go, be it this one or some that go with one of another resource.
        """
        return declare(
            f"delete_{self.name}", Kind.DELETE, self, None, description or f"Delete one {self.noun}.", before=before,
            gone=gone, own_statements=statements, declared_problems=tuple(problems), emits=(f"{self.name}.deleted",),
            deprecated=deprecated,
        )  # fmt: skip

    def create(self, **options: Any) -> Callable[[Function], Operation]:
        """Decorator of `async (call, data) -> row`. Options as of `write_operation`."""
        return write_operation(Kind.CREATE, self, f"create_{self.name}", f"{self.name}.created", **options)

    def update(self, **options: Any) -> Callable[[Function], Operation]:
        """Decorator of `async (call, row, data) -> row`. Options as of `write_operation`."""
        return write_operation(Kind.UPDATE, self, f"update_{self.name}", f"{self.name}.updated", **options)

    def batch(self, *operations: Operation) -> Operation:
        """Many of these creations, changes and deletions of rows in one call: see services/catalogue/batches.py."""
        entries = {each.kind.value: each for each in operations}
        if not entries or len(entries) < len(operations) or not set(entries) <= set(VERBS):
            raise self.fault("a batch is made of other operations than these.", f"Pass one of each: {listing(VERBS)}.")
        described = f"Many changes to {self.nouns} at once: {', '.join(entries)}."
        return declare(
            f"batch_{self.plural}", Kind.BATCH, self, f"{self.path}/batch", described, input=batch_input(self, entries),
            entries=entries, emits=tuple(event for each in operations for event in each.emits), audited=False,
            declared_problems=tuple({kind: None for each in operations for kind in each.problems}),
        )  # fmt: skip

    def action(self, verb: str, **options: Any) -> Callable[[Function], Operation]:
        """Decorator of `async (call, row[, data]) -> row or None`: anything else done to one row."""
        return write_operation(Kind.ACTION, self, f"{verb}_{self.name}", f"{self.name}.{verb}", verb=verb, **options)


def declare(
    name: str, kind: Kind, resource: Resource[Any], address: str | None, description: str, **options: Any
) -> Operation:
    """An operation without a function of its own: a read or a deletion."""
    row = kind in ON_A_ROW and options.get("where") is None
    return Operation(
        name, kind, resource,
        address or (f"{resource.path}/{{id}}" if row else resource.path),
        description, Location.of_caller(),
        scope=f"{resource.plural}:{'read' if kind in READS else 'write'}",
        action="read" if kind in READS else "delete",
        **options,
    )  # fmt: skip


def write_operation(
    kind: Kind, resource: Resource[Any] | None, name: str, event: str | None, *,
    verb: str | None = None, address: str | None = None, scope: str | None = "",
    emits: Iterable[str] | str | None = None,
    problems: Iterable[ProblemType] = (), cost: int = 1, statements: int = 1, audited: bool = True,
    deprecated: Deprecation | None = None, example: Mapping[str, Any] | None = None,
) -> Callable[[Function], Operation]:  # fmt: skip
    """A decorator that makes an operation of a function; input and result are read off its annotations.

    `scope` defaults to the resource's `…:write` (None: open to everybody), `emits` to the event of its kind, `address`
    to the convention; `statements` is how many the function sends at most; `audited` and `example`: see
    Operation. Raises DeclarationError when the function does not have the form of its kind.
    """

    def decorate(function: Function) -> Operation:
        location = Location(function.__code__.co_filename, function.__code__.co_firstlineno)
        events = (
            (emits,) if isinstance(emits, str) else tuple(emits) if emits is not None else (event,) if event else ()
        )
        operation = Operation(
            name if verb is None or resource is None else function.__name__, kind, resource,
            address or _address(kind, resource, verb or name),
            inspect.getdoc(function) or "", location,
            scope=f"{resource.plural}:write" if scope == "" and resource is not None else scope,
            function=function, declared_problems=tuple(problems), emits=events, cost=cost,
            own_statements=statements, audited=audited, deprecated=deprecated, example=example,
            action=verb or kind.value,
            **_signature(function, location, takes_row=kind in (Kind.UPDATE, Kind.ACTION)),
        )  # fmt: skip
        if not operation.description:
            raise operation.fault("it has no docstring.", "Describe it in a sentence: both faces show it.")
        _check_leavable(operation)
        return operation

    return decorate


def _check_leavable(operation: Operation) -> None:
    """Raises DeclarationError when nobody can stop using a deprecated member of the input."""
    if operation.input is None:
        return
    for name in deprecations_of(operation.input):
        if operation.input.model_fields[name].is_required():
            raise operation.fault(f'its deprecated member "{name}" is required.', "Give it a default.")


def procedure(address: str, *, scope: str | None, **options: Any) -> Callable[[Function], Operation]:
    """Decorator of `async (call[, data]) -> row, result or None`: an operation on no row in particular.

    `scope` None: open to everybody; empty: for any signed-in actor.
    """

    def decorate(function: Function) -> Operation:
        name = function.__name__
        return write_operation(Kind.PROCEDURE, None, name, None, address=address, scope=scope, **options)(function)

    return decorate


def _address(kind: Kind, resource: Resource[Any] | None, verb: str) -> str:
    if resource is None:
        return verb
    if kind is Kind.CREATE:
        return resource.path
    return f"{resource.path}/{{id}}" + (f"/{verb.replace('_', '-')}" if kind is Kind.ACTION else "")


def _signature(function: Function, location: Location, *, takes_row: bool) -> dict[str, Any]:
    """Input model and result of a function, from its annotations."""
    name = getattr(function, "__name__", "operation")
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise DeclarationError(location, f"{name}: {error}.", "Import what its annotations name.") from None
    parameters = list(inspect.signature(function).parameters)
    expected = ["call", "row"] if takes_row else ["call"]
    wanted = ", ".join([*expected, "data"])
    first = parameters[: len(expected)]
    form = first == expected and parameters[len(expected) :] in ([], ["data"]) and hints.get(first[0]) is Call
    if not form or not inspect.iscoroutinefunction(function) or "return" not in hints:
        raise DeclarationError(
            location,
            f"{name}: its function has not the form of an operation.",
            f"Write async def {name}({wanted}) with annotations: call: Call first, data: an InputModel, the result.",
        )
    data = hints.get("data")
    if data is not None and not (isinstance(data, type) and issubclass(data, InputModel)):
        raise DeclarationError(location, f"{name}: data is not an InputModel.", "Derive its type from InputModel.")
    try:
        for model in (data, hints["return"]):
            if isinstance(model, type) and issubclass(model, BaseModel):
                fields_of(model)
    except TypeError as error:
        raise DeclarationError(location, f"{name}: {error}.", "Use a type of services/catalogue/scalars.py.") from None
    return {"input": data, "returns": hints["return"]}
