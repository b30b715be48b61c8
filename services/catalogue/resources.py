"""Resources: the nouns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter
from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase

from services.catalogue.batches import VERBS, batch_input
from services.catalogue.declaration import DeclarationError, Location, listing
from services.catalogue.deprecation import Deprecation
from services.catalogue.identifiers import PREFIX_PATTERN
from services.catalogue.models import ReadModel, fields_of
from services.catalogue.naming import words
from services.catalogue.operations import Check, Function, Gone, Kind, Operation, declare, write_operation
from services.catalogue.policies import Policy, Rule
from services.catalogue.problems import ProblemType
from services.catalogue.relations import Relation, RelationDeclaration
from services.catalogue.scalars import FieldType
from services.catalogue.versions import ETAG

M = TypeVar("M", bound=DeclarativeBase)


class Resource(Generic[M]):
    """A noun: a model, the read model that lists its public fields, a policy, relations, and what a list of it can do.

    `relations` is complete once the catalogue is built; until then only `declared_relations` is known. Raises
    DeclarationError, with place and mend, for whatever is wrong with the declaration by itself.
    """

    def __init__(
        self,
        name: str,
        *,
        model: type[M],
        read: type[ReadModel],
        prefix: str,
        policy: Policy | None = None,
        plural: str | None = None,
        relations: Sequence[RelationDeclaration] = (),
        filters: Sequence[str] = (),
        sorts: Sequence[str] = (),
        search: Sequence[str] = (),
    ) -> None:
        self.location = Location.of_caller()
        self.name, self.plural = name, plural or f"{name}s"
        self.model, self.read, self.prefix = model, read, prefix
        self.declared_relations = tuple(relations)
        self.filters, self.sorts, self.search = tuple(filters), tuple(sorts), tuple(search)
        self.relations: dict[str, Relation] = {}
        if policy is None:
            raise self.fault("it has no policy.", "Pass policy=…, were it only Policy(read=everyone).")
        self.policy = policy
        self.table = cast("Table", model.__table__)
        self.description = " ".join((model.__doc__ or name).split())
        self._check()

    @property
    def path(self) -> str:
        """Where its rows live on REST: `api-keys`."""
        return self.plural.replace("_", "-")

    @property
    def noun(self) -> str:
        """Its name in words: `API key`."""
        return words(self.name)

    @property
    def nouns(self) -> str:
        """Its plural in words."""
        return words(self.plural)

    @property
    def read_scope(self) -> str:
        """The scope that reading rows needs, be it through a relation."""
        return f"{self.plural}:read"

    @cached_property
    def fields(self) -> Mapping[str, FieldType]:
        """The public fields, in order."""
        return fields_of(self.read)

    @cached_property
    def _adapters(self) -> Mapping[str, TypeAdapter[Any]]:
        return {name: kind.adapter() for name, kind in self.fields.items() if kind.scalar and not kind.many}

    @cached_property
    def _serialisers(self) -> Mapping[str, Callable[[Any], Any] | None]:
        return {name: kind.serialiser() for name, kind in self.fields.items()}

    def unrelated(self) -> Resource[M]:
        """A copy without relations."""
        found = copy(self)
        found.relations = {}
        return found

    def adapter(self, field: str) -> TypeAdapter[Any]:
        """A strict validator of one value of the field."""
        return self._adapters[field]

    def serialise(self, field: str, value: Any) -> Any:
        """The JSON value of a field's Python value."""
        function = self._serialisers[field]
        if value is None or function is None:
            return value
        return [function(each) for each in value] if self.fields[field].many else function(value)

    def encode(self, key: Any) -> str:
        """The public identifier of a key."""
        return f"{self.prefix}_{key.hex}"

    def fault(self, fault: str, mend: str) -> DeclarationError:
        """A DeclarationError at the place of this declaration."""
        return DeclarationError(self.location, f"{self.name}: {fault}", mend)

    # The presets of operations, and actions.

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

    def _check(self) -> None:
        try:
            fields = self.fields
        except TypeError as error:
            raise self.fault(
                f"{self.read.__name__}: {error}.", "Use a type of services/catalogue/scalars.py."
            ) from None
        if not PREFIX_PATTERN.fullmatch(self.prefix):
            raise self.fault(f'the prefix "{self.prefix}" is not 2 to 8 lower-case letters.', "Choose another prefix.")
        identifier = fields["id"].identifier if "id" in fields else None
        if identifier is None or identifier.prefix != self.prefix:
            raise self.fault(
                f'{self.read.__name__}.id is not an identifier with the prefix "{self.prefix}".',
                f'Declare id: Annotated[UUID, Identifier("{self.prefix}")].',
            )
        if ETAG in fields:
            raise self.fault(
                f"{self.read.__name__}.{ETAG} has the name of what GraphQL calls the version of every row.",
                "Give the field another name.",
            )
        mapped = {attribute.key for attribute in self.model.__mapper__.column_attrs}
        self._known("its read model", fields, mapped, f"a column of {self.model.__name__}")
        usable = {name for name, kind in fields.items() if kind.operators}
        self._known("filters", self.filters, usable, "a field of the read model that can be filtered")
        self._known("sorts", self.sorts, usable, "a field of the read model that can be sorted")
        self._known("search", self.search, mapped, f"a column of {self.model.__name__}")
        self._known("masks", self.policy.masks, set(fields), "a field of the read model")
        for name in self.policy.masks:
            if not fields[name].nullable:
                raise self.fault(
                    f'the masked field "{name}" cannot be null.', f"Let {self.read.__name__}.{name} be … | None."
                )
        if self.search and "search_vector" not in mapped:
            raise self.fault(
                f"search needs the column {self.model.__name__}.search_vector.",
                "Add search_vector: Mapped[str] = search_vector(…) of services.storage.base and its index.",
            )

    def _known(self, what: str, names: Iterable[str], allowed: set[str], kind: str) -> None:
        for name in names:
            if name not in allowed:
                raise self.fault(f'{what} names "{name}", which is not {kind}.', f"Use one of: {listing(allowed)}.")

    def __repr__(self) -> str:
        return f"<Resource {self.name}>"
