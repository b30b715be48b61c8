"""Values for the fields of an input model, right ones and wrong ones, read off its types and its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from services.catalogue.models import fields_of
from services.catalogue.scalars import INT32, FieldType

NOTHING: Final = "0198c0df" * 4
"""The key of nothing."""
NUMBER: Final = "a number"
"""What is wrong with an identifier that is an integer."""
INSTANT: Final = "2030-01-31T12:00:00Z"
_WORDS: Final = ("a1", "word", "word@example.com", "#00ff00", "https://example.com/word", "127.0.0.1", "2030-01-31")
_LONG: Final = 20_000

Refer = Callable[[str], str | None]
"""From an identifier's prefix to the identifier that a reference shall hold, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an input model."""

    name: str
    kind: FieldType
    required: bool
    schema: Mapping[str, Any]
    """Of one value, null and lists left aside."""
    most: int | None
    """Entries of a list."""
    lists: Sequence[Any]
    """Examples of whole lists."""
    adapter: TypeAdapter[Any]

    def accepts(self, value: Any) -> bool:
        """Whether a JSON value is valid."""
        try:
            self.adapter.validate_json(orjson.dumps(value), strict=True)
        except (ValidationError, TypeError):
            return False
        return True

    @property
    def is_text(self) -> bool:
        """Whether its values are texts of any kind."""
        return self.kind.identifier is None and self.kind.python in (str, SecretStr)


@cache
def input_fields(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of an input model."""
    document = model.model_json_schema()
    found = []
    for name, kind in fields_of(model).items():
        info = model.model_fields[name]
        whole = _flat(document["properties"][name], document)
        annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        one = _flat(whole["items"], document) if kind.many and "items" in whole else whole
        lists = whole.get("examples", ()) if kind.many else ()
        field = Field(name, kind, info.is_required(), one, whole.get("maxItems"), lists, TypeAdapter(annotation))
        found.append(field)
    return tuple(found)


def _flat(schema: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that is not null."""
    found = dict(schema)
    for part in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        if part.get("type") != "null":
            found = {**_flat(part, document), **found}
    if "$ref" in schema:
        found = {**document["$defs"][schema["$ref"].rpartition("/")[2]], **found}
    return found


class NoValueError(Exception):
    """Nothing that was tried is valid in a field."""


def right(field: Field, salt: str, refer: Refer) -> Any:
    """A plausible value. Raises NoValueError. `salt` makes texts differ from those of another salt."""
    found = next((each for each in _candidates(field, salt, refer) if field.accepts(each)), None)
    if found is None and not field.kind.nullable:
        raise NoValueError(field.name)
    return found


def _candidates(field: Field, salt: str, refer: Refer) -> Iterator[Any]:
    yield from field.lists
    for value in _singles(field, salt, refer):
        yield [value] if field.kind.many else value
    if field.kind.many:
        yield []


def _singles(field: Field, salt: str, refer: Refer) -> Iterator[Any]:
    kind = field.kind
    examples = list(field.schema.get("examples", ()))
    if kind.identifier is not None:
        reference = refer(kind.identifier.prefix)
        if reference is not None:
            yield reference
    elif kind.enum is not None:
        yield from (each.value for each in kind.enum)
    elif issubclass(kind.python, BaseModel):
        yield {each.name: right(each, salt, refer) for each in input_fields(kind.python)}
    elif field.is_text:
        for example in (*examples, field.name, *_WORDS):
            yield from (f"{salt}{example}", f"{example}{salt}", example)
    elif kind.python is bool:
        yield from (True, False)
    elif kind.python is int:
        yield from (*examples, field.schema.get("minimum", 1), 1)
    elif kind.python is datetime:
        yield from (*examples, INSTANT)


def edges(field: Field, salt: str) -> Iterator[tuple[str, Any]]:
    """Valid values at the bounds of a field, by what they are."""
    if field.kind.nullable:
        yield "null", None
    if field.kind.many:
        yield "empty", []
        return
    for name, value in _bounds(field, salt):
        if field.accepts(value):
            yield name, value


def _bounds(field: Field, salt: str) -> Iterator[tuple[str, Any]]:
    kind, schema = field.kind, field.schema
    if field.is_text:
        most, least = schema.get("maxLength", _LONG), schema.get("minLength", 0)
        yield "longest", "x" * most
        yield "shortest", "x" * least
        yield "any letters", f"{salt} äß漢🙂 'quoted' \\ %_"
    elif kind.enum is not None:
        yield "last", list(kind.enum)[-1].value
    elif kind.python is bool:
        yield from (("true", True), ("false", False))
    elif kind.python is int:
        yield from (("least", schema.get("minimum", INT32[0])), ("most", schema.get("maximum", INT32[1])))
    elif kind.python is datetime:
        yield from (("last", "9999-12-31T23:59:59.999998Z"), ("offset", "2030-01-31T14:00:00.5+02:00"))


def faults(field: Field, other: str, unreadable: str | None) -> Iterator[tuple[str, Any]]:
    """Values that are not valid in a field, by what is wrong with them.

    `other` is an identifier of another resource, `unreadable` one of this field's that most callers may not read.
    """
    if not field.kind.nullable:
        yield "null", None
    for name, value in _wrong(field, other, unreadable):
        # What is wrong with these two, the field alone does not know: the model does, or the database.
        if (
            field.kind.identifier is not None
            or name == "nul"
            or not field.accepts([value] if field.kind.many else value)
        ):
            yield name, [value] if field.kind.many else value
    if field.kind.many:
        yield "no list", {"a": 1}
        if field.most is not None and field.kind.identifier is not None:
            yield "too many", [field.kind.identifier.prefix + "_" + NOTHING] * (field.most + 1)


def _wrong(field: Field, other: str, unreadable: str | None) -> Iterator[tuple[str, Any]]:
    kind, schema = field.kind, field.schema
    if kind.identifier is not None:
        yield from (("type", True), (NUMBER, 5), ("malformed", "nonsense"), ("other", other))
        yield "of nothing", f"{kind.identifier.prefix}_{NOTHING}"
        if unreadable is not None:
            yield "unreadable", unreadable
        return
    yield "type", {"a": 1} if kind.python in (bool, int) else 5
    if kind.enum is not None:
        yield "choice", "nonsense"
    elif field.is_text:
        yield from (("empty", ""), ("malformed", "\t \n"), ("nul", "a\x00b"))
        if "maxLength" in schema:
            yield "too long", "x" * (schema["maxLength"] + 1)
    elif kind.python is bool:
        yield "text", "yes"
    elif kind.python is int:
        least, most = schema.get("minimum", INT32[0]), schema.get("maximum", INT32[1])
        yield from (("text", "1"), ("fraction", 1.5), ("too small", least - 1), ("too great", most + 1))
    elif kind.python is datetime:
        yield from (("malformed", "yesterday"), ("naive", "2030-01-31T12:00:00"))
