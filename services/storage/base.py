"""Base of all models: constraint names, UUIDv7 keys, UTC instants, enums as checked text, and text comparison."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Computed, DateTime, Dialect, Enum, MetaData, TypeDecorator, Uuid, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column
from sqlalchemy.schema import ForeignKeyConstraint

from services.catalogue.identifiers import new_key

SEARCH_LANGUAGE = "english"
"""PostgreSQL's text search configuration of every search vector."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base class of all models. Constraints have predictable names, by which violations are mapped to fields."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # Computed columns (such as search vectors) are not returned from every INSERT and UPDATE.
    __mapper_args__ = {"eager_defaults": False}
    type_annotation_map = {datetime: DateTime(timezone=True), UUID: Uuid()}


Key = Annotated[UUID, mapped_column(Uuid(), primary_key=True, default=new_key)]
"""A primary key generated in Python, because PostgreSQL before 18 cannot generate UUIDv7."""


def _created(context: Any) -> datetime:
    created: datetime = context.get_current_parameters()["created_at"]
    return created


class Timestamps:
    """Instants of a row's creation and last change."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=_created, onupdate=utc_now)


def within_workspace(
    field: str, target: str, name: str, *, ondelete: str = "CASCADE", told: bool = True
) -> ForeignKeyConstraint:  # fmt: skip
    """A foreign key to a row of the same workspace; `target` is its column. `told`: a violation names the field."""
    table, _, column = target.partition(".")
    return ForeignKeyConstraint(
        ["workspace_id", field], [f"{table}.workspace_id", f"{table}.{column}"], ondelete=ondelete, name=name,
        info={"fields": [field]} if told else {},
    )  # fmt: skip


class CheckedText(TypeDecorator[Any]):
    """An enum's values as text. A value that the enum does not have is returned as the stored text.

    A newer version may have written it during a rolling upgrade or before a rollback.
    """

    impl = Enum
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Convert a text to the enum's member, if there is one; null stays null."""
        members: dict[Any, Any] = {member.value: member for member in self.impl_instance.enum_class}  # type: ignore[attr-defined]
        return lambda value: members.get(value, value)


def enum_column(kind: type[StrEnum], **options: Any) -> MappedColumn[Any]:
    """Return a column for an enum: text with a check constraint, so that a new member does not change its type."""
    name = kind.__name__.lower()
    values = CheckedText(
        kind, native_enum=False, create_constraint=True, name=name, length=32,
        values_callable=lambda members: [member.value for member in members],
    )  # fmt: skip
    return mapped_column(values, **options)


def folded(text: Any) -> ColumnElement[str]:
    """Return the expression of a text, column or value, with case folded as by `fold` of services/catalogue/text.py.

    Comparisons that ignore case, and unique indexes of names, use it. A migration creates the SQL function.
    """
    return func.gateway_fold(text)


def search_vector(*fields: str) -> MappedColumn[Any]:
    """Return a generated tsvector of text columns, in decreasing weight (A to D). It needs a GIN index.

    `gateway_words` splits texts as searches are split (services/queries/searching.py).
    """
    parts = [
        f"setweight(to_tsvector('{SEARCH_LANGUAGE}', gateway_words(coalesce({field}, ''))), '{weight}')"
        for field, weight in zip(fields, "ABCD", strict=False)
    ]
    return mapped_column(TSVECTOR, Computed(" || ".join(parts), persisted=True), nullable=True, deferred=True)
