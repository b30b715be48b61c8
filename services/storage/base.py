"""What every model shares: constraints' names, UUIDv7 keys, UTC instants, enums as checked text, text for comparing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Computed, DateTime, Dialect, Enum, MetaData, TypeDecorator, Uuid, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column

from services.catalogue.identifiers import new_key

SEARCH_LANGUAGE = "english"
"""PostgreSQL's text search configuration of every search vector."""


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of all models. Constraints have predictable names, from which violations are traced back to fields."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # What PostgreSQL computes (search vectors, above all) is not wanted back from every INSERT and UPDATE.
    __mapper_args__ = {"eager_defaults": False}
    type_annotation_map = {datetime: DateTime(timezone=True), UUID: Uuid()}


Key = Annotated[UUID, mapped_column(Uuid(), primary_key=True, default=new_key)]
"""A primary key made in Python, so that it works alike on PostgreSQL 15 to 18."""


def _created(context: Any) -> datetime:
    created: datetime = context.get_current_parameters()["created_at"]
    return created


class Timestamps:
    """When a row was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=_created, onupdate=utc_now)


class CheckedText(TypeDecorator[Any]):
    """An enum's values as text. A value that the enum doesn't have comes out as the text that it is.

    Another version may have written it: while versions are exchanged, or where one was rolled back.
    """

    impl = Enum
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """From a text to the member, or to the text where there is none; null stays null."""
        members: dict[Any, Any] = {each.value: each for each in self.impl_instance.enum_class}  # type: ignore[attr-defined]
        return lambda value: members.get(value, value)


def enum_column(kind: type[StrEnum], **options: Any) -> MappedColumn[Any]:
    """A column for an enum: text with a check constraint, so that a new member needs no type change."""
    name = kind.__name__.lower()
    values = CheckedText(
        kind, native_enum=False, create_constraint=True, name=name, length=32,
        values_callable=lambda members: [member.value for member in members],
    )  # fmt: skip
    return mapped_column(values, **options)


def folded(text: Any) -> ColumnElement[str]:
    """A text, column or value, without regard to case, as `fold` of services/catalogue/text.py. Whatever ignores case
    in SQL compares these; a unique index of one makes names unique so. A migration has made the function.
    """
    return func.gateway_fold(text)


def search_vector(*fields: str) -> MappedColumn[Any]:
    """A generated tsvector over text columns, the first ones weighing more (A to D). Give it a GIN index.

    `gateway_words` splits them as searches are split (services/queries/searching.py).
    """
    parts = [
        f"setweight(to_tsvector('{SEARCH_LANGUAGE}', gateway_words(coalesce({field}, ''))), '{weight}')"
        for field, weight in zip(fields, "ABCD", strict=False)
    ]
    return mapped_column(TSVECTOR, Computed(" || ".join(parts), persisted=True), nullable=True, deferred=True)
