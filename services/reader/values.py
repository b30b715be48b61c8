"""Conversions of values that are more than an expression in the assembly: lists, names of enums, cursors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from services.catalogue.scalars import EnumOutput, format_instant
from services.queries.cursors import CursorCodec
from services.reader.layout import Column, PageLayout


def enum_shown(column: Column) -> EnumOutput:
    """Return the output values of a column's enum."""
    assert column.kind.enum is not None
    return EnumOutput(column.kind.enum, attrgetter("name" if column.by_name else "value"))


def list_reader(column: Column) -> Callable[[str], list[Any]]:
    """Return the conversion of a list from PostgreSQL's JSON to that of the answer."""
    convert = _json_converter(column)
    return lambda text: [None if entry is None else convert(entry) for entry in orjson.loads(text)]


def _json_converter(column: Column) -> Callable[[Any], Any]:
    kind = column.kind
    if kind.identifier is not None:
        prefix = kind.identifier.prefix
        return lambda text: f"{prefix}_{UUID(text).hex}"
    if kind.python is datetime:
        return lambda text: format_instant(datetime.fromisoformat(text))
    if kind.enum is not None:
        return enum_shown(column).__getitem__
    return lambda value: value


def cursor_writer(layout: PageLayout, cursors: CursorCodec) -> Callable[[Iterable[Any]], str]:
    """Return the function that writes the cursor of a row from the values of its order."""
    prefixes = [column.kind.identifier.prefix if column.kind.identifier else None for column in layout.cursor]

    def write(values: Iterable[Any]) -> str:
        pairs = zip(prefixes, values, strict=True)
        plain = [value if prefix is None or value is None else f"{prefix}_{value.hex()}" for prefix, value in pairs]
        return cursors.sign(layout.resource, layout.order, plain)

    return write
