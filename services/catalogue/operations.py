"""Operations: the verbs, and the unit of both faces."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import BaseModel

from services.catalogue.calls import Call
from services.catalogue.declaration import DeclarationError, Location
from services.catalogue.deprecation import Deprecation, deprecations_of
from services.catalogue.models import InputModel, ResultModel, fields_of
from services.catalogue.policies import Rule
from services.catalogue.problems import (
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    IDEMPOTENCY_CONFLICT,
    IDEMPOTENCY_KEY_REUSED,
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    NOT_FOUND,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    TOO_COMPLEX,
    UNAUTHENTICATED,
    VALIDATION_FAILED,
    ProblemType,
)

if TYPE_CHECKING:
    from services.catalogue.resources import Resource

Function = Callable[..., Awaitable[Any]]
Check = Callable[[Call, Any], Awaitable[None]]
Gone = Callable[[Call, Collection[Any]], None]
"""Is told of the keys of rows that are deleted, in the transaction that does it."""


class Kind(Enum):
    """What an operation does, which decides how each face offers it."""

    LIST = "list"
    GET = "get"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ACTION = "action"
    """Something else done to one row."""
    BATCH = "batch"
    """Many of these at once, on rows of one resource."""
    PROCEDURE = "procedure"
    """Something done to no row in particular."""


READS = (Kind.LIST, Kind.GET)
ON_A_ROW = (Kind.GET, Kind.UPDATE, Kind.DELETE, Kind.ACTION)


@dataclass(frozen=True, slots=False, eq=False)
class Operation:
    """A verb: its name, input, result, scope, the problems it can raise, the events it emits.

    `scope` is None for an operation open to everybody, the empty string where a signed-in actor is enough, else the
    scope that the credentials must carry. `address` is where it lives (`items`, `items/{id}/archive`, `auth/login`).
    `resource` is what it acts on; `result` what comes back: a resource, a result model or nothing.
    """

    name: str
    kind: Kind
    resource: Resource[Any] | None
    address: str
    description: str
    location: Location
    scope: str | None
    function: Function | None = None
    input: type[InputModel] | None = None
    returns: Any = None
    where: Rule | None = None
    before: Check | None = None
    gone: Gone | None = None
    """Of a deletion: what follows from it, whether the caller has named the row or it has gone with another."""
    declared_problems: tuple[ProblemType, ...] = ()
    emits: tuple[str, ...] = ()
    cost: int = 1
    own_statements: int = 1
    """How many SQL statements its function sends at most, what the gateway sends around it left aside."""
    action: str = ""
    """The policy's action that the actor needs on the row."""
    audited: bool = True
    """Whether a call that has succeeded goes into the audit: unless it only asks something."""
    deprecated: Deprecation | None = None
    example: Mapping[str, Any] | None = None
    """An input for documentation to show, where the examples of the fields would not do together."""
    result: Resource[Any] | type[ResultModel] | None = field(default=None)
    entries: Mapping[str, Operation] = field(default_factory=dict)
    """Of a batch: the operations that it is made of, by their verbs."""

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.kind in READS

    @property
    def why_deprecated(self) -> str | None:
        """Why it should not be called any more."""
        return self.deprecated.reason if self.deprecated is not None else None

    @property
    def on_a_row(self) -> bool:
        """Whether the caller names one row by its identifier."""
        return self.kind in ON_A_ROW and self.where is None

    @cached_property
    def statements(self) -> int:
        """The most SQL statements that a call may take, whatever is read of the result; beginning and commit aside.

        One for every read. A write loads its row, checks what its input refers to, does what it does, checks where it
        has put its row, writes itself into the audit, and reads the result: one each. Where the caller expects a
        version of the row, that takes one more.
        """
        if self.is_read:
            return 1
        if self.kind is Kind.BATCH:  # of each entry, with the savepoint before it and behind
            return 2 + max(each.statements for each in self.entries.values())
        fields = fields_of(self.input).values() if self.input is not None else ()
        row, references = self.on_a_row, any(kind.identifier is not None for kind in fields)
        result = hasattr(self.result, "read_scope")
        placed = result and self.kind is not Kind.DELETE
        return self.own_statements + sum((row, references, placed, self.audited, result))

    @cached_property
    def problems(self) -> tuple[ProblemType, ...]:
        """Every problem it can raise: the declared ones, and those that follow from its kind."""
        found: list[ProblemType] = []
        if self.scope is not None:
            found += [UNAUTHENTICATED, INVALID_TOKEN]
        if self.scope:
            found.append(INSUFFICIENT_SCOPE)
        if self.kind in ON_A_ROW:
            found.append(NOT_FOUND)
        if not self.is_read and self.resource is not None and self.scope is not None:
            found.append(FORBIDDEN)
        if not self.is_read and self.resource is not None:
            found.append(CONFLICT)
        if self.on_a_row and not self.is_read:
            found += [PRECONDITION_FAILED, PRECONDITION_REQUIRED]
        found.append(VALIDATION_FAILED)
        if not self.is_read:
            found += [BAD_REQUEST, IDEMPOTENCY_CONFLICT, IDEMPOTENCY_KEY_REUSED]
        if self.resource is not None and self.scope is not None and self.kind is not Kind.DELETE:
            found.append(TOO_COMPLEX)
        found += self.declared_problems
        return tuple(sorted(set(found), key=lambda each: (each.status, each.code)))

    def fault(self, fault: str, mend: str) -> DeclarationError:
        """A DeclarationError at the place of this declaration."""
        return DeclarationError(self.location, f"{self.name}: {fault}", mend)


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
