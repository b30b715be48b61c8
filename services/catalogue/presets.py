"""Presets of operations, and the decorators that declare operations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase

from services.catalogue.batches import VERBS, batch_input
from services.catalogue.calls import Call
from services.catalogue.declaration import DeclarationError, Location, quoted_names
from services.catalogue.deprecation import Deprecation, deprecations_of
from services.catalogue.models import InputModel, fields_of
from services.catalogue.operations import ON_A_ROW, READS, BeforeHook, DeletionHook, Function, Kind, Operation
from services.catalogue.policies import Rule
from services.catalogue.problems import ProblemType
from services.catalogue.resources import Resource

M = TypeVar("M", bound=DeclarativeBase)


class DeclaredResource(Resource[M]):
    """A resource with presets of its operations, and actions.

    `services.catalogue` exports it as `Resource`. It is a subclass because an Operation refers to its Resource, and a
    preset creates Operations.
    """

    def list(
        self, *, name: str | None = None, address: str | None = None, where: Rule | None = None,
        deprecated: Deprecation | None = None,
    ) -> Operation:  # fmt: skip
        """Declare listing the rows that the actor may read and that satisfy `where`."""
        name = name or f"list_{self.plural}"
        description = f"List {self.nouns}, a page at a time."
        return declare(name, Kind.LIST, self, address, description, where=where, deprecated=deprecated)

    def get(
        self, *, name: str | None = None, address: str | None = None, where: Rule | None = None, description: str = "",
        deprecated: Deprecation | None = None,
    ) -> Operation:  # fmt: skip
        """Declare getting one row by its identifier, or the one row that satisfies `where`."""
        name = name or f"get_{self.name}"
        description = description or f"Get one {self.noun}."
        return declare(name, Kind.GET, self, address, description, where=where, deprecated=deprecated)

    def delete(
        self, *, before: BeforeHook | None = None, gone: DeletionHook | None = None,
        problems: Iterable[ProblemType] = (), statements: int = 1, description: str = "",
        deprecated: Deprecation | None = None,
    ) -> Operation:  # fmt: skip
        """Declare deleting one row.

        `before(call, row)` may refuse the deletion or clean up; `statements` is the number of its statements and the
        deletion. `gone(call, keys)` is called with the keys of deleted rows, including those deleted along with a row
        of another resource.
        """
        return declare(
            f"delete_{self.name}", Kind.DELETE, self, None, description or f"Delete one {self.noun}.", before=before,
            gone=gone, own_statements=statements, declared_problems=tuple(problems), emits=(f"{self.name}.deleted",),
            deprecated=deprecated,
        )  # fmt: skip

    def create(self, **options: Any) -> Callable[[Function], Operation]:
        """Decorate `async (call, data) -> row`. See `write_operation` for the options."""
        return write_operation(Kind.CREATE, self, self.path, f"create_{self.name}", f"{self.name}.created", **options)

    def update(self, **options: Any) -> Callable[[Function], Operation]:
        """Decorate `async (call, row, data) -> row`. See `write_operation` for the options."""
        address = f"{self.path}/{{id}}"
        return write_operation(Kind.UPDATE, self, address, f"update_{self.name}", f"{self.name}.updated", **options)

    def batch(self, *operations: Operation) -> Operation:
        """Declare calling several of these operations at once: see services/catalogue/batches.py."""
        entries = {operation.kind.value: operation for operation in operations}
        if not entries or len(entries) < len(operations) or not set(entries) <= set(VERBS):
            raise self.fault(
                "a batch is made of other operations than these.", f"Pass one of each: {quoted_names(VERBS)}."
            )
        description = f"Many changes to {self.nouns} at once: {', '.join(entries)}."
        problems = dict.fromkeys(problem for operation in operations for problem in operation.problems)
        return declare(
            f"batch_{self.plural}", Kind.BATCH, self, f"{self.path}/batch", description,
            input=batch_input(self, entries), entries=entries, audited=False, declared_problems=tuple(problems),
            emits=tuple(event for operation in operations for event in operation.emits),
        )  # fmt: skip

    def action(self, verb: str, *, address: str | None = None, **options: Any) -> Callable[[Function], Operation]:
        """Decorate `async (call, row[, data]) -> row or None`, any other change of one row."""
        address = address or f"{self.path}/{{id}}/{verb.replace('_', '-')}"
        return write_operation(Kind.ACTION, self, address, None, f"{self.name}.{verb}", action=verb, **options)


def declare(
    name: str, kind: Kind, resource: Resource[Any], address: str | None, description: str, **options: Any
) -> Operation:
    """Return an operation without a function of its own: a read, a deletion or a batch."""
    is_on_a_row = kind in ON_A_ROW and options.get("where") is None
    return Operation(
        name, kind, resource,
        address or (f"{resource.path}/{{id}}" if is_on_a_row else resource.path),
        description, Location.of_caller(),
        scope=f"{resource.plural}:{'read' if kind in READS else 'write'}",
        action="read" if kind in READS else "delete",
        **options,
    )  # fmt: skip


def write_operation(
    kind: Kind, resource: Resource[Any] | None, address: str, name: str | None, event: str | None, *,
    scope: str | None = "", emits: Iterable[str] | str | None = None, problems: Iterable[ProblemType] = (),
    statements: int = 1, **options: Any,
) -> Callable[[Function], Operation]:  # fmt: skip
    """Return a decorator that declares a function as an operation, with the input and the result of its annotations.

    `scope` defaults to the resource's `…:write` (None: public), `emits` to `event`, and `name` to that of the function.
    For `statements` and the other options (`cost`, `audited`, `deprecated`, `example`) see Operation. Raises
    DeclarationError if the function does not have the form of its kind.
    """
    if scope == "" and resource is not None:
        scope = f"{resource.plural}:write"
    emits = emits if emits is not None else event or ()

    def decorate(function: Function) -> Operation:
        location = Location.of_function(function)
        signature = _signature(function, location, takes_row=kind in (Kind.UPDATE, Kind.ACTION))
        operation = Operation(
            name or function.__name__, kind, resource, address, inspect.getdoc(function) or "", location, scope,
            function, declared_problems=tuple(problems), emits=(emits,) if isinstance(emits, str) else tuple(emits),
            own_statements=statements, **{"action": kind.value} | signature | options,
        )  # fmt: skip
        if not operation.description:
            raise operation.fault("it has no docstring.", "Describe it in a sentence: both faces show it.")
        data = operation.input or InputModel
        for member in deprecations_of(data):
            if data.model_fields[member].is_required():
                raise operation.fault(f'its deprecated member "{member}" is required.', "Give it a default.")
        return operation

    return decorate


def procedure(address: str, *, scope: str | None, **options: Any) -> Callable[[Function], Operation]:
    """Decorate `async (call[, data]) -> row, result or None`, on no particular row. For `scope` see Operation."""
    return write_operation(Kind.PROCEDURE, None, address, None, None, scope=scope, **options)


def _signature(function: Function, location: Location, *, takes_row: bool) -> dict[str, Any]:
    name = function.__name__
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise DeclarationError(location, f"{name}: {error}.", "Import what its annotations name.") from None
    required = ["call", "row"] if takes_row else ["call"]
    parameters = list(inspect.signature(function).parameters)
    has_form = parameters in (required, [*required, "data"]) and hints.get("call") is Call and "return" in hints
    if not has_form or not inspect.iscoroutinefunction(function):
        form = f"{name}({', '.join([*required, 'data'])})"
        raise DeclarationError(
            location,
            f"{name}: its function has not the form of an operation.",
            f"Write async def {form} with annotations: call: Call first, data: an InputModel, the result.",
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
