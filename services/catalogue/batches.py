"""Declaration of batches: several creations, updates and deletions of one resource in one call.

A batch is a preset operation (`items.batch(create_item, update_item, delete_item)`). Each entry calls one of its
operations under that operation's own rules and is audited separately. The caller chooses between one transaction, which
the first problem rolls back (`atomic`), and independent entries with a result each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from services.catalogue.identifiers import Identifier
from services.catalogue.models import InputModel, absent
from services.catalogue.naming import EXPECTED, EXPECTED_WORDS, pascal
from services.catalogue.operations import Operation
from services.catalogue.resources import Resource

MAX_ENTRIES: Final = 500
"""The highest number of entries that a setting can allow."""
OPERATIONS: Final = "operations"
VERBS: Final = {
    "create": "Make a new one.", "update": "Change one; what is left out stays.", "delete": "Delete one.",
}  # fmt: skip


class _Entry(InputModel):
    """One entry of a batch: an object with exactly one member, named after the verb."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            *names, last = type(self).model_fields
            listed = f"{', '.join(names)} or {last}" if names else last
            raise PydanticCustomError("one_of", "Say one thing to be done: {names}.", {"names": listed})
        return self


def batch_input(resource: Resource[Any], entries: Mapping[str, Operation]) -> type[InputModel]:
    """Return the input model of a batch of these operations, given by verb."""
    plural = pascal(resource.plural)
    members: dict[str, Any] = {
        verb: (_entry_input(resource, operation), absent(VERBS[verb])) for verb, operation in entries.items()
    }
    entry = create_model(
        f"{plural}BatchOperation",
        __base__=_Entry,
        __doc__=f"What to do with {resource.nouns}: exactly one member.",
        **members,
    )
    atomic_description = "Whether one failed operation rolls back all; otherwise each has a result of its own."
    return create_model(
        f"{plural}Batch",
        __base__=InputModel,
        __doc__=f"Many changes to {resource.nouns} at once.",
        atomic=(bool, Field(default=True, description=atomic_description)),
        operations=(list[entry], Field(min_length=1, max_length=MAX_ENTRIES, description=about_entries(MAX_ENTRIES))),
    )


def about_entries(limit: int) -> str:
    """Return the description of a batch's entries in the contracts."""
    return f"The operations, in order: at most {limit}."


def _entry_input(resource: Resource[Any], operation: Operation) -> type[InputModel]:
    if not operation.on_a_row:
        assert operation.input is not None
        return operation.input
    base = operation.input or InputModel
    identifier = Annotated[UUID, Identifier(resource.prefix)]
    id_field = Field(description=f"The identifier of the {resource.noun}.")
    name = f"{pascal(resource.name)}Batch{pascal(operation.kind.value)}"
    docstring = base.__doc__ if operation.input is not None else f"Which {resource.noun}."
    version = Field(default=None, description=EXPECTED_WORDS.format(resource.noun))
    members: dict[str, Any] = {"id": (identifier, id_field), EXPECTED: (str | None, version)}
    return create_model(name, __base__=base, __doc__=docstring, **members)
