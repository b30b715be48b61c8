"""The bytes of files in the OpenAPI document: the routes they go in and out by, and the form."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from rest.files.content import PATH
from rest.files.forms import FIELDS, FILE_OPERATION
from rest.openapi.conditional import ETAG, IF_MATCH, IF_NONE_MATCH
from rest.openapi.parameters import id_name, id_parameter
from rest.openapi.responses import RESPONSE, failure, failures
from rest.openapi.schemas import SCHEMA
from rest.openapi.security import security_of
from services.catalogue import Catalogue
from services.catalogue.problems import (
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    IDEMPOTENCY_KEY_REUSED,
    IDEMPOTENCY_UNSUPPORTED,
    INSUFFICIENT_SCOPE,
    INVALID_LINK,
    INVALID_TOKEN,
    NOT_FOUND,
    PRECONDITION_FAILED,
    RANGE_NOT_SATISFIABLE,
    UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
    UPLOAD_STALLED,
    VALIDATION_FAILED,
)
from services.files.forms import FORM

_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: Final = {"application/octet-stream": _BYTES, "*/*": _BYTES}
_TEXT: Final = {"type": "string"}
_ANSWERS: Final = ("FileUpload", "File")
UNSENT_KEY: Final = UUID("0198c0df" * 4)
"""The key in the example of the route that bytes are sent to. The demo data has a file of this key that is announced
with no bytes: Swagger UI sends none as long as nobody has chosen a file.
"""
_UNSENT: Final = "file.unsent.key"
_REFUSED: Final = (
    UNAUTHENTICATED, INVALID_TOKEN, INSUFFICIENT_SCOPE, FORBIDDEN, INVALID_LINK, NOT_FOUND, VALIDATION_FAILED,
    BAD_REQUEST,
)  # fmt: skip
_NOT_TAKEN: Final = (
    *_REFUSED, CONFLICT, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE, UPLOAD_STALLED, UNSUPPORTED_MEDIA_TYPE,
)  # fmt: skip

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "upload_offset": {
        "description": "How many bytes of the file are there: where to go on sending.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "accept_ranges": {"description": "`bytes`: parts can be asked for (RFC 9110).", "schema": _TEXT},
    "content_disposition": {"description": "What the file is called (RFC 6266).", "schema": _TEXT},
    "content_range": {"description": "Which bytes these are, and of how many (RFC 9110).", "schema": _TEXT},
}
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "content_range": {
        "name": "Content-Range", "in": "header",
        "description": "Which bytes of the file the body has, as `bytes first-last/size` (RFC 9110, 14.5): those that "
        "begin at `Upload-Offset`. All of them, if left out.",
        "schema": {"type": "string", "pattern": "^bytes [0-9]{1,12}-[0-9]{1,12}/[0-9]{1,12}$"},
    },
    "range": {
        "name": "Range", "in": "header",
        "description": "Which bytes to send, as `bytes=first-last` (RFC 9110, 14.2). Several ranges count as none.",
        "schema": _TEXT,
    },
    "if_range": {
        "name": "If-Range", "in": "header",
        "description": "Mind `Range` only if the file has this `ETag` still (RFC 9110, 13.1.5).", "schema": _TEXT,
    },
    "link.expires": {
        "name": "expires", "in": "query", "description": "Of a signed link: until when it is good.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,12}$"},
    },
    "link.signature": {
        "name": "signature", "in": "query",
        "description": "Of a signed link, which needs no other credentials: that it is good.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
}  # fmt: skip


def file_paths(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """The path of the bytes, by what is below the prefix; none where the catalogue has no files."""
    if "file" not in catalogue.resources:
        return {}
    get, complete = catalogue.operations["get_file"], catalogue.operations["complete_file"]
    key = id_name(catalogue.resources["file"])
    asking = _parameters(key, "link.expires", "link.signature", IF_MATCH, IF_NONE_MATCH)
    parts: dict[str, Any] = {
        "200": {"description": "All its bytes.", "headers": _of_content(), "content": _CONTENT},
        "206": {
            "description": "The bytes that were asked for.", "headers": _of_content("content_range"),
            "content": _CONTENT,
        },
        "304": {"$ref": "#/components/responses/not_modified"},
    }  # fmt: skip
    fetch = _operation(
        "getFileContent", "Fetch the bytes of a file",
        "All of them or a range, by credentials or the signed link that `linkFile` gives. What browsers could run is "
        "called `application/octet-stream`.", [*asking, *_parameters("range", "if_range")],
        parts | failures([*_REFUSED, CONFLICT, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE]),
        [get.scope],
    )  # fmt: skip
    refused = {
        status: _without_content(failure(each["$ref"].removeprefix(RESPONSE)))
        for status, each in failures([*_REFUSED, PRECONDITION_FAILED]).items()
    }
    ask = _operation(
        "headFileContent", "Ask how far a file has come",
        "Where to go on sending it, if it is not complete; else what `GET` would say of its bytes. Whoever may send it "
        "but not read it hears the first alone.", asking,
        {
            **{status: _without_content(each) for status, each in parts.items() if status != "206"},
            "204": {"description": "How much of it is there.", "headers": _headers("upload_offset")},
            **refused,
        },
        [get.scope, complete.scope],
    )  # fmt: skip
    send = _operation(
        "putFileContent", "Send the bytes of a file",
        "All of them, or with `Content-Range` those from `Upload-Offset` on, by credentials or the signed `upload_url` "
        "that `createFile` gives. What has come before an interruption is kept. `If-Match` and `If-None-Match` are "
        "heeded: of a file that is not complete there is nothing yet that they could match.",
        _parameters(_UNSENT, "link.expires", "link.signature", "content_range"),
        {"204": {"description": "They have come.", "headers": _headers("upload_offset")}}
        | failures(_NOT_TAKEN),
        [complete.scope],
    )  # fmt: skip
    send["requestBody"] = {"required": False, "content": {"application/octet-stream": _BYTES}}
    return {PATH: {"get": fetch, "head": ask, "put": send}}


def file_parameters(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Among the components: the parameters of these paths."""
    return {**_PARAMETERS, _UNSENT: id_parameter(catalogue.resources["file"], UNSENT_KEY)}


def with_form(described: dict[str, Any], name: str) -> None:
    """Add the form to the operation of this name, if it is the one that announces files."""
    if name != FILE_OPERATION:
        return
    described["requestBody"]["content"][FORM] = {"schema": {"$ref": f"{SCHEMA}FileForm"}}
    made = described["responses"]["201"]
    described["responses"]["201"] = {
        **made,
        "description": "The file has been announced; of a form: the complete file.",
        "content": {"application/json": {"schema": {"anyOf": [{"$ref": f"{SCHEMA}{each}"} for each in _ANSWERS]}}},
    }
    told = failures([UPLOAD_STALLED, VALIDATION_FAILED, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_UNSUPPORTED])
    described["responses"] |= {status: told[status] for status in ("408", "422")}


def form_schema(announced: dict[str, Any]) -> dict[str, Any]:
    """The form of a file, from the schema of what announces one."""
    fields = {each: _form_field(announced["properties"][each]) for each in FIELDS}
    return {
        "type": "object",
        "title": "FileForm",
        "description": "A file in one request (RFC 7578), announced, sent and completed. Its fields come before it; "
        "its part says what it is called and of what type it is, unless fields do. It takes no `Idempotency-Key`.",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {**fields, "file": {**_BYTES["schema"], "description": "The bytes: the last part."}},
    }


def _form_field(schema: dict[str, Any]) -> dict[str, Any]:
    """A form has no null: what is not there is left out."""
    kept = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return {**kept[0], "description": schema["description"]} if kept else schema


def _operation(
    name: str, summary: str, description: str, parameters: list[dict[str, Any]], responses: dict[str, Any],
    scopes: list[str | None],
) -> dict[str, Any]:  # fmt: skip
    security: list[dict[str, Any]] = [*security_of(*([each] for each in scopes if each)), {}]
    return {
        "operationId": name, "tags": ["files"], "summary": summary, "description": description,
        "parameters": parameters, "responses": dict(sorted(responses.items())), "security": security,
    }  # fmt: skip


def _parameters(*names: str) -> list[dict[str, Any]]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _headers(*names: str) -> dict[str, Any]:
    shown = {"upload_offset": "Upload-Offset", "accept_ranges": "Accept-Ranges", "content_range": "Content-Range"}
    shown["content_disposition"] = "Content-Disposition"
    return {shown[name]: {"$ref": f"#/components/headers/{name}"} for name in names}


def _of_content(*more: str) -> dict[str, Any]:
    return {**ETAG, **_headers("accept_ranges", "content_disposition", *more)}


def _without_content(response: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in response.items() if name != "content"}
