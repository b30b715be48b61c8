"""Batches as they are declared: many creations, changes and deletions of one resource in one call.

A batch is one more preset of operations (`items.batch(create_item, update_item, delete_item)`). Its entries are calls
of the operations that it is made of, under the same rules, each recorded in the audit. The caller chooses: all in one
transaction, which the first problem undoes (`atomic`), or each by itself, with a result of its own.
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
"""More than these no setting allows."""
OPERATIONS: Final = "operations"
VERBS: Final = ("create", "update", "delete")
_WORDS: Final = {
    "create": "Make a new one.", "update": "Change one; what is left out stays.", "delete": "Delete one.",
}  # fmt: skip


class _Entry(InputModel):
    """One of the batch's operations: exactly one member."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("one_of", "Say one thing to be done: {names}.", {"names": _listed(type(self))})
        return self


def batch_input(resource: Resource[Any], entries: Mapping[str, Operation]) -> type[InputModel]:
    """The input model of a batch of these operations, by their verbs."""
    plural = pascal(resource.plural)
    members: dict[str, Any] = {}
    for verb, operation in entries.items():
        members[verb] = (_entry_input(resource, operation), absent(_WORDS[verb]))
    entry = create_model(
        f"{plural}BatchOperation",
        __base__=_Entry,
        __doc__=f"What to do with {resource.nouns}: exactly one member.",
        **members,
    )
    words = "Whether all is undone when one cannot be done; otherwise each has a result of its own."
    found: type[InputModel] = create_model(
        f"{plural}Batch",
        __base__=InputModel,
        __doc__=f"Many changes to {resource.nouns} at once.",
        atomic=(bool, Field(default=True, description=words)),
        operations=(list[entry], Field(min_length=1, max_length=MAX_ENTRIES, description=about_entries(MAX_ENTRIES))),
    )
    return found


def about_entries(most: int) -> str:
    """What contracts say of a batch's entries, of which there may be so many."""
    return f"What is to be done, in this order: at most {most}."


def _entry_input(resource: Resource[Any], operation: Operation) -> type[InputModel]:
    """The operation's input, with the row's identifier where it is on a row."""
    if not operation.on_a_row:
        assert operation.input is not None
        return operation.input
    base = operation.input or InputModel
    identifier = Annotated[UUID, Identifier(resource.prefix)]
    words = Field(description=f"The identifier of the {resource.noun}.")
    name = f"{pascal(resource.name)}Batch{pascal(operation.kind.value)}"
    about = base.__doc__ if operation.input is not None else f"Which {resource.noun}."
    version = Field(default=None, description=EXPECTED_WORDS.format(resource.noun))
    members: dict[str, Any] = {"id": (identifier, words), EXPECTED: (str | None, version)}
    return create_model(name, __base__=base, __doc__=about, **members)


def _listed(model: type[InputModel]) -> str:
    *most, last = model.model_fields
    return f"{', '.join(most)} or {last}" if most else last
