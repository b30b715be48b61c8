"""Fill the inputs of operations with values that are valid in the world."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from gateway.parity.world.values import Field, NoValueError, input_fields, right
from gateway.parity.world.world import PASSWORD, SHARED, World
from services.catalogue import Operation

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


def fields(operation: Operation) -> tuple[Field, ...]:
    return input_fields(operation.input) if operation.input is not None else ()


def filled(
    world: World, operation: Operation, salt: str, place: str = SHARED, only: Collection[Field] | None = None
) -> dict[str, Any]:
    """Return an input with a valid value for every field, or for these only; `place` is that of referenced rows.

    A reference is left out where the place has no row for it. Raises DeclarationError for a field without a known
    valid value.
    """
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
