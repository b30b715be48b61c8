"""Operations: the verbs, and the unit of both faces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from services.catalogue.calls import Call
from services.catalogue.declaration import DeclarationError, Location
from services.catalogue.deprecation import Deprecation
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
