"""Values as a document has them: written out, or as variables, which are given, have defaults, are null or absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)

from tests.support.generated.choices import Choices

_DEFAULTS: Final[Mapping[str, Any]] = {
    "Int": 3, "String": "bee", "ID": "itm_0", "Boolean": True, "DateTime": "2020-01-01T00:00:00Z",
}  # fmt: skip


class Scope:
    """An operation or a fragment: the variables in it, and the fragments spread in it."""

    def __init__(self) -> None:
        self.variables: dict[str, None] = {}
        self.spreads: dict[str, None] = {}


class Values:
    """Writes values. `given` are the variables of the request; `wrong`: whether what is not valid may be among them."""

    def __init__(self, choices: Choices, *, wrong: bool) -> None:
        self.choices, self.wrong = choices, wrong
        self.definitions: dict[str, str] = {}
        self.given: dict[str, Any] = {}
        self._known: dict[tuple[str, str], list[str]] = {}

    def write(self, value: Any, kind: Any, scope: Scope, *, percent: int = 22) -> str:
        """A value where something of this type is wanted."""
        if self.choices.chance(percent):
            return self.variable(value, kind, scope)
        return self._written(value, kind, scope)

    def absent(self, kind: Any, scope: Scope) -> str:
        """A variable that is not given."""
        return self._define(str(kind), None, scope)

    def literal(self, value: Any, kind: Any) -> str:
        """The value without variables."""
        return self._written(value, kind, None)

    def variable(self, value: Any, kind: Any, scope: Scope) -> str:
        """The value as a variable, new or old."""
        known = self._known.get((str(kind), json.dumps(value)), [])
        if known and self.choices.chance(40):
            name = self.choices.of(known)
            scope.variables[name] = None
            return f"${name}"
        declared, optional = str(kind), str(kind).removesuffix("!")
        how = self.choices.below(10)
        if value is None:
            return self._define(declared, None, scope, value, given=True)
        if how < 6:
            required = how < 2 and optional == declared
            name = self._define(f"{declared}!" if required else declared, None, scope, value, given=True)
        elif how < 8 and self.wrong and self.choices.chance(15):
            return self._define(optional, self.literal(value, kind), scope, None, given=True)
        elif how < 8:
            name = self._define(self.choices.of((optional, declared)), self.literal(value, kind), scope)
        else:
            name = self._define(self.choices.of((optional, declared)), self._other(kind), scope, value, given=True)
        self._known.setdefault((str(kind), json.dumps(value)), []).append(name[1:])
        return name

    def _define(self, kind: str, default: str | None, scope: Scope, value: Any = None, *, given: bool = False) -> str:
        name = f"v{len(self.definitions)}"
        self.definitions[name] = f"${name}: {kind}" + (f" = {default}" if default is not None else "")
        scope.variables[name] = None
        if given:
            self.given[name] = self._sent(value, listed=kind.startswith("["))
        return f"${name}"

    def _sent(self, value: Any, *, listed: bool) -> Any:
        if listed and isinstance(value, list) and len(value) == 1 and self.choices.chance(15):
            return value[0]
        if self.wrong and self.choices.chance(3):
            return self.choices.of(([value], {"no": "such"}, 1.5, 10**10, True, "1"))
        if type(value) is int and self.choices.chance(2):
            return float(value)
        return value

    def _other(self, kind: Any) -> str:
        inner = kind.of_type if is_non_null_type(kind) else kind
        if is_list_type(inner):
            return "[]"
        if is_enum_type(inner):
            return str(next(iter(inner.values)))
        if is_input_object_type(inner):
            required = {name: each.type for name, each in inner.fields.items() if is_non_null_type(each.type)}
            return f"{{{', '.join(f'{name}: {self._other(each)}' for name, each in required.items())}}}"
        return json.dumps(_DEFAULTS[inner.name])

    def _written(self, value: Any, kind: Any, scope: Scope | None) -> str:
        inner = kind.of_type if is_non_null_type(kind) else kind
        if value is None:
            return "null"
        if is_list_type(inner):
            return self._list(value, inner.of_type, scope)
        if is_input_object_type(inner):
            return self._object(value, inner, scope)
        if is_enum_type(inner):
            return str(value)
        return self._leaf(value)

    def _leaf(self, value: Any) -> str:
        if isinstance(value, str) and value.isalpha() and value.isascii() and self.choices.chance(5):
            return f'"""{value}"""'
        return json.dumps(value, ensure_ascii=self.choices.chance(20) and not _astral(value))

    def _list(self, value: Any, kind: Any, scope: Scope | None) -> str:
        parts = [self._inner(each, kind, scope) for each in value]
        if len(parts) == 1 and parts[0][0] != "$" and self.choices.chance(15):
            return parts[0]
        return f"[{self.choices.of((', ', ' ')).join(parts)}]"

    def _object(self, value: Mapping[str, Any], kind: Any, scope: Scope | None) -> str:
        parts = [f"{name}: {self._inner(each, kind.fields[name].type, scope)}" for name, each in value.items()]
        if scope is not None and self.choices.chance(4):
            others = [
                name for name in kind.fields if name not in value and not is_non_null_type(kind.fields[name].type)
            ]
            if others:
                name = self.choices.of(others)
                parts.append(f"{name}: {self.absent(kind.fields[name].type, scope)}")
        return f"{{{', '.join(parts)}}}"

    def _inner(self, value: Any, kind: Any, scope: Scope | None) -> str:
        return self._written(value, kind, None) if scope is None else self.write(value, kind, scope, percent=10)


def _astral(value: Any) -> bool:
    return isinstance(value, str) and any(ord(each) > 0xFFFF for each in value)
