"""Resolution of declared relations by the models' foreign keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table

from services.catalogue.declaration import DeclarationError, quoted_names
from services.catalogue.resources import Relation, RelationDeclaration, Resource


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
