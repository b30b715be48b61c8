"""Resources, the nouns, and the relations between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter
from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase

from services.catalogue.declaration import DeclarationError, Declared, Location, quoted_names
from services.catalogue.identifiers import PREFIX_PATTERN
from services.catalogue.models import ReadModel, description_of, fields_of
from services.catalogue.naming import ETAG, words
from services.catalogue.policies import Policy
from services.catalogue.scalars import IF_UNKNOWN, FieldType

M = TypeVar("M", bound=DeclarativeBase)


@dataclass(frozen=True, slots=True)
class RelationDeclaration:
    """A relation as it is declared; its target is derived from the models' foreign keys."""

    name: str
    reverse: str | None
    through: Table | None
    location: Location


def one(name: str, *, reverse: str | None = None) -> RelationDeclaration:
    """Declare the row that the foreign key `{name}_id` refers to; `reverse` names the list on the other side."""
    return RelationDeclaration(name, reverse, None, Location.of_caller())


def many(name: str, *, through: Any, reverse: str | None = None) -> RelationDeclaration:
    """Declare the rows linked by an association table (or its model) with a foreign key to each side."""
    table = through if isinstance(through, Table) else through.__table__
    return RelationDeclaration(name, reverse, table, Location.of_caller())


class Resource(Declared, Generic[M]):
    """A noun: a model, the read model that lists its public fields, a policy, relations, filters, sorts and search.

    `relations` is empty until the catalogue resolves `declared_relations`. Raises DeclarationError, with the location
    and the remedy, for an invalid declaration.
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
        self.noun, self.nouns = words(self.name), words(self.plural)
        self.path = self.plural.replace("_", "-")
        """The path segment of its rows on REST: `api-keys`."""
        self.model, self.read, self.prefix = model, read, prefix
        self.declared_relations = tuple(relations)
        self.filters, self.sorts, self.search = tuple(filters), tuple(sorts), tuple(search)
        self.relations: dict[str, Relation] = {}
        if policy is None:
            raise self.fault("it has no policy.", "Pass policy=…, were it only Policy(read=everyone).")
        self.policy = policy
        self.table = cast("Table", model.__table__)
        self.description = " ".join((model.__doc__ or name).split())
        try:
            self.fields = fields_of(read)
        except TypeError as error:
            raise self.fault(f"{read.__name__}: {error}.", "Use a type of services/catalogue/scalars.py.") from None
        self._check(self.fields)
        self._adapters = {name: kind.adapter() for name, kind in self.fields.items() if kind.scalar and not kind.many}
        self._serialisers = {name: kind.serialiser() for name, kind in self.fields.items()}

    @property
    def read_scope(self) -> str:
        """The scope for reading its rows, also through a relation."""
        return f"{self.plural}:read"

    def adapter(self, field: str) -> TypeAdapter[Any]:
        """Return a strict validator of one value of the field."""
        return self._adapters[field]

    def serialise(self, field: str, value: Any) -> Any:
        """Return the JSON value of a field's Python value."""
        function = self._serialisers[field]
        if value is None or function is None:
            return value
        return [function(entry) for entry in value] if self.fields[field].many else function(value)

    def encode(self, key: Any) -> str:
        return f"{self.prefix}_{key.hex}"

    def describe(self, field: str) -> str:
        """Return the description of a field in both contracts."""
        description = description_of(self.read, field)
        return description if self.fields[field].enum is None else f"{description} {IF_UNKNOWN}"

    def _check(self, fields: Mapping[str, FieldType]) -> None:
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

    def _known(self, option: str, names: Iterable[str], allowed: set[str], kind: str) -> None:
        for name in names:
            if name not in allowed:
                raise self.fault(
                    f'{option} names "{name}", which is not {kind}.', f"Use one of: {quoted_names(allowed)}."
                )

    def __repr__(self) -> str:
        return f"<Resource {self.name}>"


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """A resolved relation.

    To-one: `source.local` = `target.id`. To-many: `target.remote` = `source.id`, or, with `through`, the pairs
    (`through.near`, `through.far`).
    """

    name: str
    source: Resource[Any]
    target: Resource[Any]
    many: bool
    local: str = "id"
    remote: str = "id"
    through: Table | None = None
    near: str = ""
    far: str = ""


def foreign_key(table: Table, column: str) -> Table | None:
    """Return the table whose primary key the column refers to."""
    return next((key.column.table for key in table.columns[column].foreign_keys if key.column.primary_key), None)


def _link(declaration: RelationDeclaration, table: Table, through: Table) -> str:
    names = [column.name for column in through.columns if foreign_key(through, column.name) is table]
    if len(names) == 1:
        return names[0]
    raise DeclarationError(
        declaration.location,
        f'relation "{declaration.name}": the table "{through.name}" has {len(names)} foreign keys to "{table.name}".',
        "Let the association table have exactly one to each side.",
    )


def resolve(
    declaration: RelationDeclaration, source: Resource[Any], by_table: dict[Table, Resource[Any]]
) -> Iterator[Relation]:
    """Yield the relation and its reverse, if it has one. Raises DeclarationError if its target is unknown."""
    nowhere = f'{source.name}: the relation "{declaration.name}" leads nowhere'
    if declaration.through is not None:
        yield from _through(declaration, source, by_table, declaration.through, nowhere)
        return
    local = f"{declaration.name}_id"
    if local not in source.table.columns:
        foreign_keys = quoted_names([column.name for column in source.table.columns if column.foreign_keys])
        raise DeclarationError(
            declaration.location,
            f'{nowhere}: {source.model.__name__} has no column "{local}".',
            f"Name it after a foreign key: {foreign_keys}.",
        )
    table = foreign_key(source.table, local)
    target = by_table.get(table) if table is not None else None
    if target is None:
        table_name = table.name if table is not None else "no table"
        raise DeclarationError(
            declaration.location,
            f'{nowhere}: "{local}" points at {table_name}, of which no resource is known.',
            "Declare a resource of that table, add its package to MODULES, or drop the relation.",
        )
    kind = source.fields.get(local)
    prefix = kind.identifier.prefix if kind is not None and kind.identifier is not None else None
    if kind is not None and prefix != target.prefix:
        raise source.fault(
            f'the field "{local}" has the prefix "{prefix}", but points at {target.plural}.',
            f'Use the identifier with the prefix "{target.prefix}".',
        )
    yield Relation(declaration.name, source, target, many=False, local=local)
    if declaration.reverse:
        yield Relation(declaration.reverse, target, source, many=True, remote=local)


def _through(
    declaration: RelationDeclaration, source: Resource[Any], by_table: dict[Table, Resource[Any]], through: Table,
    nowhere: str,
) -> Iterator[Relation]:  # fmt: skip
    near = _link(declaration, source.table, through)
    tables = {foreign_key(through, column.name) for column in through.columns} - {None, source.table}
    targets = [by_table[table] for table in tables if table in by_table]
    named = [resource for resource in targets if len(targets) == 1 or resource.plural == declaration.name]
    if not named:
        raise DeclarationError(
            declaration.location,
            f'{nowhere} through the table "{through.name}".',
            "Name it after the plural of a resource that the association table points at.",
        )
    far = _link(declaration, named[0].table, through)
    yield Relation(declaration.name, source, named[0], many=True, through=through, near=near, far=far)
    if declaration.reverse:
        yield Relation(declaration.reverse, named[0], source, many=True, through=through, near=far, far=near)
