"""Operations: the verbs, and the unit of both faces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from services.catalogue.calls import Call
from services.catalogue.declaration import Declared, Location
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
BeforeHook = Callable[[Call, Any], Awaitable[None]]
DeletionHook = Callable[[Call, Collection[Any]], None]
"""Called with the keys of deleted rows, in the transaction that deletes them."""


class Kind(Enum):
    """The kind of an operation, which determines how each face offers it."""

    LIST = "list"
    GET = "get"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ACTION = "action"
    """Any other change of one row."""
    BATCH = "batch"
    """Several operations on rows of one resource."""
    PROCEDURE = "procedure"
    """An operation that does not act on a particular row."""


READS = (Kind.LIST, Kind.GET)
ON_A_ROW = (Kind.GET, Kind.UPDATE, Kind.DELETE, Kind.ACTION)


@dataclass(frozen=True, slots=False, eq=False)
class Operation(Declared):
    """A verb: its name, input, result, scope, the problems it can raise, the events it emits.

    `scope` is None for a public operation, the empty string if any signed-in actor may call it, and otherwise the scope
    that the credentials must have. `address` is its path (`items`, `items/{id}/archive`, `auth/login`). `resource` is
    the resource that it acts on; `result` is a resource, a result model or None.
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
    before: BeforeHook | None = None
    gone: DeletionHook | None = None
    """Called for deleted rows, whether the caller named the row or it was deleted along with another one."""
    declared_problems: tuple[ProblemType, ...] = ()
    emits: tuple[str, ...] = ()
    cost: int = 1
    own_statements: int = 1
    """The highest number of SQL statements that its function sends, without those of the gateway."""
    action: str = ""
    """The policy's action that the actor must be allowed on the row."""
    audited: bool = True
    """Whether successful calls are audited. Calls that only ask something are not."""
    deprecated: Deprecation | None = None
    example: Mapping[str, Any] | None = None
    """An input for documentation to show, where the examples of the fields would not do together."""
    result: Resource[Any] | type[ResultModel] | None = None
    entries: Mapping[str, Operation] = field(default_factory=dict)
    """The operations that a batch consists of, by verb."""

    @property
    def is_read(self) -> bool:
        return self.kind in READS

    @property
    def on_a_row(self) -> bool:
        """Whether the caller names one row by its identifier."""
        return self.kind in ON_A_ROW and self.where is None

    @cached_property
    def statements(self) -> int:
        """The highest number of SQL statements of a call, without those that begin and end the transaction.

        A read takes one. A write takes one each for loading its row, checking the references in its input, checking the
        policy of the row it has written, the audit record and reading the result, plus those of its function. An
        expected version of the row takes one more.
        """
        if self.is_read:
            return 1
        if self.kind is Kind.BATCH:  # for each entry, with the statements of its savepoint
            return 2 + max(entry.statements for entry in self.entries.values())
        fields = fields_of(self.input).values() if self.input is not None else ()
        has_references = any(kind.identifier is not None for kind in fields)
        reads_row = hasattr(self.result, "read_scope")
        return self.own_statements + sum((self.on_a_row, has_references, self.audited, reads_row, reads_row))

    @cached_property
    def problems(self) -> tuple[ProblemType, ...]:
        """Every problem it can raise: the declared ones, and those that follow from its kind."""
        problem_types = [VALIDATION_FAILED, *self.declared_problems]
        if self.scope is not None:
            problem_types += [UNAUTHENTICATED, INVALID_TOKEN]
        if self.scope:
            problem_types.append(INSUFFICIENT_SCOPE)
        if self.kind in ON_A_ROW:
            problem_types.append(NOT_FOUND)
        if not self.is_read and self.resource is not None:
            problem_types += [CONFLICT] if self.scope is None else [CONFLICT, FORBIDDEN]
        if self.on_a_row and not self.is_read:
            problem_types += [PRECONDITION_FAILED, PRECONDITION_REQUIRED]
        if not self.is_read:
            problem_types += [BAD_REQUEST, IDEMPOTENCY_CONFLICT, IDEMPOTENCY_KEY_REUSED]
        if self.resource is not None and self.scope is not None and self.kind is not Kind.DELETE:
            problem_types.append(TOO_COMPLEX)
        return tuple(sorted(set(problem_types), key=lambda problem: (problem.status, problem.code)))
