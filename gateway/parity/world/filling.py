"""Inputs of operations, filled in with values that fit the world."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from gateway.parity.world.values import Field, NoValueError, input_fields, right
from gateway.parity.world.world import PASSWORD, SHARED, World
from services.catalogue import Operation

Known = Callable[[World], Any]

KNOWN: Final[dict[tuple[str, str], Known]] = {
    ("login", "username"): lambda world: world.accounts["guest"].username,
    ("login", "password"): lambda world: PASSWORD,
    ("login", "scope"): lambda world: world.catalogue.scopes[0],
    ("refresh_token", "refresh_token"): lambda world: world.accounts["guest"].refresh_token,
    ("change_password", "current_password"): lambda world: PASSWORD,
    ("change_email", "current_password"): lambda world: PASSWORD,
    ("introspect", "token"): lambda world: world.accounts["guest"].access_token,
    ("revoke", "token"): lambda world: world.accounts["guest"].access_token,
    ("create_membership", "username"): lambda world: world.accounts["newcomer"].username,
}
"""What neither a type nor an example can tell, by operation and field: credentials, and a user who is named."""


NOT_FOR_ALL: Final = frozenset({("update_user", "email")})
"""Fields that only admins may send: they are left out of what is valid for everybody."""


def fields(operation: Operation) -> tuple[Field, ...]:
    """The fields of an operation's input."""
    return input_fields(operation.input) if operation.input is not None else ()


def filled(
    world: World, operation: Operation, salt: str, place: str = SHARED, only: Collection[Field] | None = None
) -> dict[str, Any]:
    """Every field, or only these, with a valid value; references lead to rows of this place, and may be left out.

    Raises DeclarationError for a field of which no valid value is found.
    """
    found = {}
    for field in only if only is not None else fields(operation):
        if (operation.name, field.name) in NOT_FOR_ALL:
            continue
        known = KNOWN.get((operation.name, field.name))
        try:
            value = known(world) if known else right(field, salt, lambda prefix: world.reference(prefix, place))
        except NoValueError:
            raise operation.fault(
                f'nothing that the proof has tried is valid in its field "{field.name}".',
                "Give the field examples=[…], of which it takes the first.",
            ) from None
        if value is not None or not field.kind.identifier:
            found[field.name] = value
    return found


def required(operation: Operation) -> tuple[Field, ...]:
    """The fields that cannot be left out."""
    return tuple(each for each in fields(operation) if each.required)
