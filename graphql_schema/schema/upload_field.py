"""The scalar `Upload` and the mutation `uploadFile`: a file that comes in the form of its request (uploads.py).

Written by hand, since no JSON carries it: it is announced, sent and completed by the operations of the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NewType

import strawberry
from graphql import FieldNode, OperationDefinitionNode
from strawberry.types.field import StrawberryField

from graphql_schema.schema.building import Argument, field, input_type, nullable, plain
from graphql_schema.schema.context import Info
from services.catalogue import Problem
from services.catalogue.naming import camel, pascal
from services.catalogue.problems import BAD_REQUEST, UPLOAD_STALLED
from services.files.uploading import CREATE, UPLOAD, FormFile, Sender, upload_file
from services.files.uploads import InterruptedUploadError

UPLOAD_FIELD: Final = camel(UPLOAD)
SPECIFICATION: Final = "https://github.com/jaydenseric/graphql-multipart-request-spec"
_ABOUT: Final = "Send a file in a form, with this as its one mutation: announced, sent and completed, or nothing of it."
_ABOUT_INPUT: Final = "A file, and what is said of it. What is left out, the file's own part of the form says."

_OF_THE_REQUEST: Final = (BAD_REQUEST, UPLOAD_STALLED)

Upload = NewType("Upload", object)


@dataclass(slots=True)
class SentFile:
    """A value of `Upload`. `fault` is what turned out to be wrong with the request, not with what it asks for."""

    file: FormFile
    fault: Problem | InterruptedUploadError | None = None


def check_takes_file(operation: OperationDefinitionNode) -> None:
    """Raises `bad_request` for what a form may not ask for: anything but the one mutation that takes its file."""
    field, *more = operation.selection_set.selections
    if more or not isinstance(field, FieldNode) or field.name.value != UPLOAD_FIELD or field.directives:
        raise Problem(BAD_REQUEST, f"The document of a form must be one field, `{UPLOAD_FIELD}`, without directives.")


def _parse(value: Any) -> SentFile:
    if not isinstance(value, SentFile):
        raise TypeError("An Upload is a file of a form, not a value in JSON or in a document.")
    return value


def _serialise(value: Any) -> Any:
    raise TypeError("An Upload is only ever sent to the gateway.")


UPLOAD_SCALAR: Final[dict[object, Any]] = {
    Upload: strawberry.scalar(
        name="Upload",
        description="A file: a part of a form whose `map` leads to a null in `variables` (GraphQL multipart request "
        "specification). No value in JSON is one.",
        serialize=_serialise,
        parse_value=_parse,
        specified_by_url=SPECIFICATION,
    )
}


def upload_mutation(payload: Any, members: Sequence[Argument]) -> StrawberryField:
    """The field; `members` are those of the input of `create_file`, `payload` shows the file."""

    async def upload(root: Any, info: Info, values: dict[str, Any]) -> Any:
        context = info.context
        await context.next_mutation()
        await context.gateway.admit(context.gateway.catalogue.operations[CREATE], context.actor, context.client)
        given = plain(values["input"])
        sent: SentFile = given.pop("file")
        sender = Sender(context.gateway, context.actor, context.client)
        try:
            return await upload_file(sender, sent.file, given), None
        except InterruptedUploadError as gone:
            sent.fault = gone
            raise Problem(BAD_REQUEST) from None  # which nobody is there to read
        except Problem as problem:
            sent.fault = problem if problem.type in _OF_THE_REQUEST else None
            raise

    file = Argument("file", Upload, "The file.", required=True)
    taken = input_type(
        f"{pascal(UPLOAD)}Input", _ABOUT_INPUT, [file, *(replace(each, required=False) for each in members)]
    )
    arguments = [Argument("input", taken, "What to do it with.", required=True)]
    return field(UPLOAD, nullable(payload), _ABOUT, upload, arguments)
