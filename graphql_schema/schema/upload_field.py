"""The scalar `Upload` and the mutation `uploadFile`, whose file is a part of a multipart request (uploads.py).

The mutation is written by hand, because JSON cannot carry a file. It calls the catalogue's operations that create,
upload and complete a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NewType

import strawberry
from graphql import FieldNode, OperationDefinitionNode
from strawberry.types.field import StrawberryField

from graphql_schema.schema.building import Argument, field, input_type, nullable
from graphql_schema.schema.context import Info
from services.catalogue import Problem
from services.catalogue.naming import camel, pascal
from services.catalogue.problems import BAD_REQUEST, UPLOAD_STALLED
from services.files.uploading import CREATE, UPLOAD, FormFile, upload_file
from services.files.uploads import InterruptedUploadError

UPLOAD_FIELD: Final = camel(UPLOAD)
SPECIFICATION: Final = "https://github.com/jaydenseric/graphql-multipart-request-spec"
_ABOUT: Final = "Create a file and upload its content, sent as a part of a form. A form has this mutation only."
_ABOUT_INPUT: Final = "A file and its properties. Those left out are taken from the file's part of the form."

_OF_THE_REQUEST: Final = (BAD_REQUEST, UPLOAD_STALLED)

Upload = NewType("Upload", object)


@dataclass(slots=True)
class UploadValue:
    """A value of `Upload`. `fault` is an error of the request's transfer, found while the file was read."""

    file: FormFile
    fault: Problem | InterruptedUploadError | None = None


def check_takes_file(operation: OperationDefinitionNode) -> None:
    """Raise `bad_request` unless the operation is the one mutation `uploadFile`, without directives."""
    field, *others = operation.selection_set.selections
    if others or not isinstance(field, FieldNode) or field.name.value != UPLOAD_FIELD or field.directives:
        raise Problem(BAD_REQUEST, f"The document of a form must be one field, `{UPLOAD_FIELD}`, without directives.")


def _parse(value: Any) -> UploadValue:
    if not isinstance(value, UploadValue):
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
    """Return the field. `members` are those of the input of `create_file`; `payload` is the type of the result."""

    async def upload(root: Any, info: Info, values: dict[str, Any]) -> Any:
        context = info.context
        await context.next_mutation()
        creation = context.gateway.catalogue.operations[CREATE]
        admitted = await context.gateway.admit(creation, context.actor, context.client)
        data = values["input"]
        sent: UploadValue = data.pop("file")
        try:
            return await upload_file(context.gateway, admitted, sent.file, data), None
        except InterruptedUploadError as interrupted:
            sent.fault = interrupted
            raise Problem(BAD_REQUEST) from None  # never sent: the client has disconnected
        except Problem as problem:
            sent.fault = problem if problem.type in _OF_THE_REQUEST else None
            raise

    file = Argument("file", Upload, "The file.", required=True)
    optional = [replace(member, required=False) for member in members]
    upload_input = input_type(f"{pascal(UPLOAD)}Input", _ABOUT_INPUT, [file, *optional])
    arguments = [Argument("input", upload_input, "What to do it with.", required=True)]
    return field(UPLOAD, nullable(payload), _ABOUT, upload, arguments)
