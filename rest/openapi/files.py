"""Contents of files in the OpenAPI document: their routes and the upload form."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from rest.files.content import PATH
from rest.files.forms import FIELDS
from rest.http.negotiation import JSON
from rest.openapi.components import TEXT, header, headers, parameter, parameters, record, response, schema, security_of
from rest.openapi.parameters import id_parameter
from rest.openapi.responses import failure, failures
from services.catalogue import Catalogue
from services.catalogue import problems as codes
from services.files.forms import FORM
from services.files.uploading import CREATE

_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: Final = {"application/octet-stream": _BYTES, "*/*": _BYTES}
UNSENT_KEY: Final = UUID("0198c0df" * 4)
"""The key in the example of the route that bytes are sent to. The demo data has a file of this key that is announced
with no bytes: Swagger UI sends none as long as nobody has chosen a file.
"""
_UNSENT: Final = "file.unsent.key"
_REFUSED: Final = (
    codes.UNAUTHENTICATED, codes.INVALID_TOKEN, codes.INSUFFICIENT_SCOPE, codes.FORBIDDEN, codes.INVALID_LINK,
    codes.NOT_FOUND, codes.VALIDATION_FAILED, codes.BAD_REQUEST,
)  # fmt: skip
_NOT_TAKEN: Final = (
    *_REFUSED, codes.CONFLICT, codes.PRECONDITION_FAILED, codes.RANGE_NOT_SATISFIABLE, codes.UPLOAD_STALLED,
    codes.UNSUPPORTED_MEDIA_TYPE,
)  # fmt: skip

HEADERS: Final = {
    "upload_offset": {
        **header("The number of bytes received, which is the offset at which to resume the upload."),
        "schema": {**TEXT, "pattern": "^[0-9]+$"},
    },
    "accept_ranges": header("`bytes`: ranges are supported (RFC 9110)."),
    "content_disposition": header("The name of the file (RFC 6266)."),
    "content_range": header("The range of bytes, and the size of the file (RFC 9110)."),
}
_PARAMETERS: Final = {
    "content_range": parameter(
        "header", "Content-Range", "The range of bytes in the body, as `bytes first-last/size` (RFC 9110, 14.5), which "
        "begins at `Upload-Offset`. By default the body has all bytes.",
        {**TEXT, "pattern": "^bytes [0-9]{1,12}-[0-9]{1,12}/[0-9]{1,12}$"},
    ),
    "range": parameter(
        "header", "Range", "The requested range, as `bytes=first-last` (RFC 9110, 14.2). Several ranges are ignored."
    ),
    "if_range": parameter(
        "header", "If-Range", "Apply `Range` only if the file still has this `ETag` (RFC 9110, 13.1.5)."
    ),
    "link.expires": parameter(
        "query", "expires", "The expiry of a signed link.", {**TEXT, "pattern": "^[0-9]{1,12}$"}
    ),
    "link.signature": parameter(
        "query", "signature", "The signature of a signed link, which needs no other credentials.",
        {**TEXT, "pattern": "^[0-9a-f]{64}$"},
    ),
}  # fmt: skip


def file_paths(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Return the path of the contents, relative to the prefix; empty if the catalogue has no files."""
    if "file" not in catalogue.resources:
        return {}
    get, complete = catalogue.operations["get_file"], catalogue.operations["complete_file"]
    link = ("link.expires", "link.signature")
    conditional = parameters("file.key", *link, "if_match", "if_none_match")
    fetch = _operation(
        "getFileContent", "Fetch the bytes of a file",
        "Returns all bytes or a range, by credentials or the signed link that `linkFile` gives. Types that browsers "
        "could execute are sent as `application/octet-stream`.", [*conditional, *parameters("range", "if_range")],
        _fetched() | failures([*_REFUSED, codes.CONFLICT, codes.PRECONDITION_FAILED, codes.RANGE_NOT_SATISFIABLE]),
        [get.scope],
    )  # fmt: skip
    ask = _operation(
        "headFileContent", "Ask for the progress of an upload",
        "Returns the offset at which to resume the upload if the file is incomplete, and otherwise the header fields "
        "of `GET`. A caller who may send but not read the file gets only the former.", conditional, _progress(),
        [get.scope, complete.scope],
    )  # fmt: skip
    send = _operation(
        "putFileContent", "Send the bytes of a file",
        "Takes all bytes, or with `Content-Range` those from `Upload-Offset` on, by credentials or the signed "
        "`upload_url` that `createFile` gives. Bytes received before an interruption are kept. `If-Match` and "
        "`If-None-Match` are evaluated: an incomplete file has no version that they could match.",
        parameters(_UNSENT, *link, "content_range"),
        {"204": {"description": "The bytes were received.", "headers": headers("Upload-Offset")}}
        | failures(_NOT_TAKEN),
        [complete.scope],
    )  # fmt: skip
    send["requestBody"] = {"required": False, "content": {"application/octet-stream": _BYTES}}
    return {PATH: {"get": fetch, "head": ask, "put": send}}


def _fetched() -> dict[str, Any]:
    fields = headers("ETag", "Accept-Ranges", "Content-Disposition")
    partial = {**fields, **headers("Content-Range")}
    return {
        "200": {"description": "All bytes.", "headers": fields, "content": _CONTENT},
        "206": {"description": "The requested range.", "headers": partial, "content": _CONTENT},
        "304": response("not_modified"),
    }


def _progress() -> dict[str, Any]:
    """Return the responses to HEAD, which have no content."""
    refused = failures([*_REFUSED, codes.PRECONDITION_FAILED])
    responses = {status: failure(refused[status]["$ref"].rpartition("/")[2]) for status in refused} | _fetched()
    del responses["206"]
    for found in responses.values():
        found.pop("content", None)
    return {**responses, "204": {"description": "The number of bytes received.", "headers": headers("Upload-Offset")}}


def file_parameters(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Return the parameters of the paths of `file_paths`, by the names of their components."""
    return {**_PARAMETERS, _UNSENT: id_parameter(catalogue.resources["file"], UNSENT_KEY)}


def with_form(described: dict[str, Any], name: str) -> None:
    """Add the form to the operation if it is the one that creates files."""
    if name != CREATE:
        return
    described["requestBody"]["content"][FORM] = {"schema": schema("FileForm")}
    responses = described["responses"]
    responses["201"] = {
        **responses["201"],
        "description": "The file to be uploaded or, for a form, the complete file.",
        "content": {JSON: {"schema": {"anyOf": [schema("FileUpload"), schema("File")]}}},
    }
    references = failures(
        [codes.UPLOAD_STALLED, codes.VALIDATION_FAILED, codes.IDEMPOTENCY_KEY_REUSED, codes.IDEMPOTENCY_UNSUPPORTED]
    )
    responses |= {status: references[status] for status in ("408", "422")}


def form_schema(announced: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the upload form, from that of the operation's input."""
    description = (
        "A file uploaded in one request (RFC 7578). Its fields precede it; its part gives the name and the media type "
        "unless fields do. Idempotency keys are not supported."
    )
    fields = {field: _form_field(announced["properties"][field]) for field in FIELDS}
    fields["file"] = {**_BYTES["schema"], "description": "The bytes: the last part."}
    return record("FileForm", description, fields, ["file"], closed=True)


def _form_field(field: dict[str, Any]) -> dict[str, Any]:
    """Remove null from a schema, since a form omits absent fields."""
    variants = [variant for variant in field.get("anyOf", ()) if variant.get("type") != "null"]
    return {**variants[0], "description": field["description"]} if variants else field


def _operation(
    name: str, summary: str, description: str, taken: list[dict[str, str]], responses: dict[str, Any],
    scopes: list[str | None],
) -> dict[str, Any]:  # fmt: skip
    security: list[dict[str, Any]] = [*security_of(*([scope] for scope in scopes if scope)), {}]
    return {
        "operationId": name, "tags": ["files"], "summary": summary, "description": description,
        "parameters": taken, "responses": dict(sorted(responses.items())), "security": security,
    }  # fmt: skip
