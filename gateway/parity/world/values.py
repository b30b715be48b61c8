"""Valid and invalid values for the fields of an operation's input, derived from its types and its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from gateway.parity.world.world import PASSWORD, SHARED, World
from services.catalogue import Operation
from services.catalogue.models import fields_of
from services.catalogue.scalars import INT32, FieldType

NOTHING: Final = "0198c0df" * 4
"""A key that no row has."""
NUMBER: Final = "a number"
"""The name of the fault that an identifier is an integer."""
INSTANT: Final = "2030-01-31T12:00:00Z"
_WORDS: Final = ("a1", "word", "word@example.com", "#00ff00", "https://example.com/word", "127.0.0.1", "2030-01-31")
_LONG: Final = 20_000
_VALID, _EDGE, _FAULT = "valid", "edge", "fault"

Refer = Callable[[str], str | None]
"""Return the identifier that a reference to a row with this prefix holds, or None if there is no such row."""


KNOWN: Final[dict[tuple[str, str], Callable[[World], Any]]] = {
    ("login", "username"): lambda world: "guest",
    ("login", "password"): lambda world: PASSWORD,
    ("login", "scope"): lambda world: world.catalogue.scopes[0],
    ("refresh_token", "refresh_token"): lambda world: world.accounts["guest"].refresh_token,
    ("change_password", "current_password"): lambda world: PASSWORD,
    ("change_email", "current_password"): lambda world: PASSWORD,
    ("introspect", "token"): lambda world: world.accounts["guest"].access_token,
    ("revoke", "token"): lambda world: world.accounts["guest"].access_token,
    ("create_membership", "username"): lambda world: "newcomer",
}
"""Values that follow from no type or example, by operation and field: credentials and user names."""

NOT_FOR_ALL: Final = frozenset({("update_user", "email")})
"""Fields that only admins may send, which are left out of valid inputs."""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: FieldType
    required: bool
    schema: Mapping[str, Any]
    """The JSON Schema of one value that is not null."""
    whole: Mapping[str, Any]
    """The same of a whole list."""
    adapter: TypeAdapter[Any]

    def accepts(self, value: Any) -> bool:
        try:
            self.adapter.validate_json(orjson.dumps(value), strict=True)
        except (ValidationError, TypeError):
            return False
        return True

    @property
    def prefix(self) -> str:
        """The prefix of its values if they are identifiers, else the empty string."""
        return self.kind.identifier.prefix if self.kind.identifier is not None else ""

    @property
    def is_text(self) -> bool:
        """Whether its values are strings that are not identifiers."""
        return not self.prefix and self.kind.python in (str, SecretStr)


@cache
def input_fields(model: type[BaseModel]) -> tuple[Field, ...]:
    document = model.model_json_schema()
    fields = []
    for name, kind in fields_of(model).items():
        info = model.model_fields[name]
        whole = _flat(document["properties"][name], document)
        annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        single = _flat(whole["items"], document) if kind.many and "items" in whole else whole
        fields.append(Field(name, kind, info.is_required(), single, whole, TypeAdapter(annotation)))
    return tuple(fields)


def _flat(schema: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with its alternatives (but null) and references merged into it."""
    merged = dict(schema)
    for part in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        if part.get("type") != "null":
            merged = {**_flat(part, document), **merged}
    if "$ref" in schema:
        merged = {**document["$defs"][schema["$ref"].rpartition("/")[2]], **merged}
    return merged


class NoValueError(Exception):
    """No known value is valid for a field."""


def right(field: Field, salt: str, refer: Refer) -> Any:
    """Return a valid value; texts differ from those of another `salt`. Raises NoValueError."""
    value = next(filter(field.accepts, _candidates(field, salt, refer)), None)
    if value is None and not field.kind.nullable:
        raise NoValueError(field.name)
    return value


def _candidates(field: Field, salt: str, refer: Refer) -> Iterator[Any]:
    values = _singles(field, salt, refer)
    if field.kind.many:
        yield from (*field.whole.get("examples", ()), *([value] for value in values), [])
    else:
        yield from values


def _singles(field: Field, salt: str, refer: Refer) -> Iterator[Any]:
    if field.prefix:
        reference = refer(field.prefix)
        if reference is not None:
            yield reference
    elif issubclass(field.kind.python, BaseModel):
        yield {member.name: right(member, salt, refer) for member in input_fields(field.kind.python)}
    else:
        yield from (value for use, _, value in _samples(field, salt) if use == _VALID)


def edges(field: Field, salt: str) -> Iterator[tuple[str, Any]]:
    """Yield valid values at the bounds of a field, by name."""
    if field.kind.nullable:
        yield "null", None
    if field.kind.many:
        yield "empty", []
        return
    for use, name, value in _samples(field, salt):
        if use == _EDGE and field.accepts(value):
            yield name, value


def faults(field: Field, other: str, unreadable: str | None) -> Iterator[tuple[str, Any]]:
    """Yield invalid values, by what is wrong: `other` is another resource's identifier, `unreadable` a foreign one."""
    if not field.kind.nullable:
        yield "null", None
    for name, value in _wrong(field, other, unreadable):
        whole = [value] if field.kind.many else value
        # Identifiers are refused by the database, and NUL by the model, not by the field.
        if field.prefix or name == "nul" or not field.accepts(whole):
            yield name, whole
    if field.kind.many:
        yield "no list", {"a": 1}
        if "maxItems" in field.whole and field.prefix:
            yield "too many", [f"{field.prefix}_{NOTHING}"] * (field.whole["maxItems"] + 1)


def _wrong(field: Field, other: str, unreadable: str | None) -> Iterator[tuple[str, Any]]:
    if field.prefix:
        yield from (("type", True), (NUMBER, 5), ("malformed", "nonsense"), ("other", other))
        yield "of nothing", f"{field.prefix}_{NOTHING}"
        if unreadable is not None:
            yield "unreadable", unreadable
        return
    yield "type", {"a": 1} if field.kind.python in (bool, int) else 5
    yield from ((name, value) for use, name, value in _samples(field, "") if use == _FAULT)


def _samples(field: Field, salt: str) -> Iterator[tuple[str, str, Any]]:
    """Yield values of a field's type: the use, a name, and the value. A new type is added here."""
    kind, schema = field.kind, field.schema
    examples = schema.get("examples", ())
    if kind.enum is not None:
        yield from ((_VALID, "", member.value) for member in kind.enum)
        yield from ((_EDGE, "last", list(kind.enum)[-1].value), (_FAULT, "choice", "nonsense"))
    elif field.is_text:
        for example in (*examples, field.name, *_WORDS):
            yield from ((_VALID, "", text) for text in (f"{salt}{example}", f"{example}{salt}", example))
        yield _EDGE, "longest", "x" * schema.get("maxLength", _LONG)
        yield _EDGE, "shortest", "x" * schema.get("minLength", 0)
        yield _EDGE, "any letters", f"{salt} äß漢🙂 'quoted' \\ %_"
        yield from ((_FAULT, "empty", ""), (_FAULT, "malformed", "\t \n"), (_FAULT, "nul", "a\x00b"))
        if "maxLength" in schema:
            yield _FAULT, "too long", "x" * (schema["maxLength"] + 1)
    elif kind.python is bool:
        yield from ((_VALID, "", True), (_VALID, "", False), (_EDGE, "true", True), (_EDGE, "false", False))
        yield _FAULT, "text", "yes"
    elif kind.python is int:
        least, most = schema.get("minimum", INT32[0]), schema.get("maximum", INT32[1])
        yield from ((_VALID, "", number) for number in (*examples, schema.get("minimum", 1), 1))
        yield from ((_EDGE, "least", least), (_EDGE, "most", most), (_FAULT, "text", "1"), (_FAULT, "fraction", 1.5))
        yield from ((_FAULT, "too small", least - 1), (_FAULT, "too great", most + 1))
    elif kind.python is datetime:
        yield from ((_VALID, "", instant) for instant in (*examples, INSTANT))
        yield from ((_EDGE, "last", "9999-12-31T23:59:59.999998Z"), (_EDGE, "offset", "2030-01-31T14:00:00.5+02:00"))
        yield from ((_FAULT, "malformed", "yesterday"), (_FAULT, "naive", "2030-01-31T12:00:00"))


def fields(operation: Operation) -> tuple[Field, ...]:
    return input_fields(operation.input) if operation.input is not None else ()


def filled(
    world: World, operation: Operation, salt: str, place: str = SHARED, only: Collection[Field] | None = None
) -> dict[str, Any]:
    """Return a valid input, or only these fields of it; a reference needs a row at `place`. Raises DeclarationError."""
    data = {}
    for field in only if only is not None else fields(operation):
        if (operation.name, field.name) in NOT_FOR_ALL:
            continue
        known = KNOWN.get((operation.name, field.name))
        try:
            value = known(world) if known else right(field, salt, lambda prefix: world.reference(prefix, place))
        except NoValueError:
            raise operation.fault(
                f'the proof found no valid value for its field "{field.name}".',
                "Give the field examples=[…], whose first valid entry is used.",
            ) from None
        if value is not None or not field.prefix:
            data[field.name] = value
    return data


def required(operation: Operation) -> tuple[Field, ...]:
    return tuple(field for field in fields(operation) if field.required)
