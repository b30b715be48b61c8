"""Problems: the closed catalogue of failures a caller can understand.

A `ProblemType` is one kind of failure: a stable code, an HTTP status (RFC 9110), a title and a paragraph of
documentation served at `/problems/{code}`. A `Problem` is one occurrence of it. REST renders it as
`application/problem+json` (RFC 9457), GraphQL as `errors[].extensions`, with the same members. Any other exception is
an internal error and is reported without detail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PROBLEM_TYPES: Final[dict[str, ProblemType]] = {}
"""Every problem type by its code, in the order of declaration."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of failure. Creating one registers it in `PROBLEM_TYPES`."""

    code: str
    status: int
    title: str
    description: str

    def __post_init__(self) -> None:
        PROBLEM_TYPES[self.code] = self

    @property
    def uri(self) -> str:
        """The RFC 9457 `type`: the address of the documentation, relative to the gateway's origin."""
        return f"/problems/{self.code}"


@dataclass(frozen=True, slots=True)
class FieldError:
    """The error of one input field.

    `path` leads to the field from the operation's input (`("filter", "status", "in", 0)`), in the services' own names;
    each face converts it to its convention. It never contains the offending value.
    """

    path: tuple[str | int, ...]
    code: str
    message: str

    def __post_init__(self) -> None:
        path = tuple(step[:MAX_STEP] if isinstance(step, str) else step for step in self.path)
        object.__setattr__(self, "path", path)


_MEMBERS_IN_HEADERS: Final[Mapping[str, str]] = {
    "allow": "Allow",
    "accept_post": "Accept-Post",
    "accept_patch": "Accept-Patch",
    "accept_query": "Accept-Query",
    "offset": "Upload-Offset",
    "content_range": "Content-Range",
}
"""Members that are sent as header fields too."""
MAX_ERRORS: Final = 20
"""Field errors in one problem, limited so that an answer does not grow with the input."""
MAX_STEP: Final = 100
"""Characters of one step of a path, which may come from the caller."""


class Problem(Exception):
    """One occurrence of a `ProblemType`.

    `detail` describes this occurrence for the caller. `retry_after` is in seconds. With `keep`, what the operation
    wrote before raising (a revocation, for instance) is committed.
    """

    def __init__(
        self,
        type: ProblemType,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        keep: bool = False,
        **members: Any,
    ) -> None:
        super().__init__(detail or type.title)
        self.type = type
        self.detail = detail or type.title
        self.errors = tuple(errors)[:MAX_ERRORS]
        self.retry_after = retry_after
        self.keep = keep
        self.extra: Mapping[str, Any] = members

    def members(self, errors: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """Return the RFC 9457 members, `code` and, if fields are invalid, `errors` as the face renders them."""
        members: dict[str, Any] = {
            "type": self.type.uri,
            "title": self.type.title,
            "status": self.type.status,
            "code": self.type.code,
            "detail": self.detail,
            **self.extra,
        }
        if errors:
            members["errors"] = list(errors)
        if self.retry_after is not None:
            members["retry_after"] = self.retry_after
        return members

    def headers(self) -> dict[str, str]:
        """Return the HTTP header fields of either face: RFC 9110 (10.2.1, 10.2.3, 11.6.1, 15.5.16), RFC 6750."""
        headers = {name: str(self.extra[key]) for key, name in _MEMBERS_IN_HEADERS.items() if key in self.extra}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.type.status == 401 or self.type is INSUFFICIENT_SCOPE:
            parts = ['realm="gateway"']
            if self.type in (INVALID_TOKEN, INSUFFICIENT_SCOPE):
                parts.append(f'error="{self.type.code}"')
            if "scope" in self.extra:
                parts.append(f'scope="{self.extra["scope"]}"')
            headers["WWW-Authenticate"] = f"Bearer {', '.join(parts)}"
        return headers

    @classmethod
    def field(cls, path: tuple[str | int, ...] | str, code: str, message: str) -> Problem:
        """Return a `validation_failed` about one field."""
        path = (path,) if isinstance(path, str) else path
        return cls(VALIDATION_FAILED, errors=[FieldError(path, code, message)])


BAD_REQUEST: Final = ProblemType(
    "bad_request",
    400,
    "The request could not be read.",
    "The body does not conform to its media type: malformed JSON, invalid UTF-8, or not a JSON object. Or a header "
    "field, or the whole request, does not conform to its standard.",
)
INVALID_DOCUMENT: Final = ProblemType(
    "invalid_document",
    400,
    "The GraphQL document is not valid.",
    "The document has a syntax error, or asks for what the schema does not have; `detail` is the validator's sentence.",
)
PERSISTED_QUERY_NOT_SUPPORTED: Final = ProblemType(
    # Apollo's clients test `code` and `message` for these texts.
    "PERSISTED_QUERY_NOT_SUPPORTED",
    400,
    "This form of persisted query is not supported.",
    "Persisted queries are those of version 1, with the SHA-256 hash of the document. Send the document itself.",
)
UNAUTHENTICATED: Final = ProblemType(
    "unauthenticated",
    401,
    "Sign in first.",
    "The operation needs an actor and the request carries no credentials. Send `Authorization: Bearer <access token>`.",
)
INVALID_TOKEN: Final = ProblemType(
    "invalid_token",
    401,
    "The token is not valid.",
    "It is malformed, expired, revoked, or was not issued by this gateway for this use. Refresh it or sign in again.",
)
INVALID_CREDENTIALS: Final = ProblemType(
    "invalid_credentials",
    401,
    "The user name or the password is wrong.",
    "The same answer is given for an unknown account, a wrong password and a deactivated account.",
)
FORBIDDEN: Final = ProblemType(
    "forbidden",
    403,
    "You may not do this.",
    "The resource is readable, but the actor may not perform this action on it; `detail` says who may.",
)
EMAIL_UNVERIFIED: Final = ProblemType(
    "email_unverified",
    403,
    "Verify your e-mail address first.",
    "User name and password are correct, but the account's address has not been verified, which this gateway "
    "requires (setting EMAIL_VERIFICATION). Follow the link in the mail, or request another: `POST "
    "/auth/resend-verification`, in GraphQL `resendVerification`.",
)
INSUFFICIENT_SCOPE: Final = ProblemType(
    "insufficient_scope",
    403,
    "The token lacks a scope.",
    "The operation needs a scope that the credentials do not carry; `scope` names it (RFC 6750).",
)
CSRF_SUSPECTED: Final = ProblemType(
    "csrf_suspected",
    403,
    "This may be a cross-site request.",
    "A browser sent it for a page of another origin, without a CORS preflight. Send a body of `application/json`, or "
    "one of the header fields `X-Apollo-Operation-Name`, `Apollo-Require-Preflight`, `X-Requested-With`. For "
    "WebSockets the page's origin must be among BACKEND_CORS_ORIGINS.",
)
DOCUMENT_REFUSED: Final = ProblemType(
    "document_refused",
    403,
    "This GraphQL document is not allowed.",
    "The gateway does not execute arbitrary documents (setting GRAPHQL_DOCUMENTS): with `persisted`, documents are "
    "named by their hash; with `trusted`, only documents that the operator has registered are executed.",
)
INVALID_LINK: Final = ProblemType(
    "invalid_link",
    403,
    "This link is not valid.",
    "A signed link to the bytes of a file is valid until it expires, for one file, and either for sending or for "
    "fetching. This one has expired, or was not issued by this gateway. Request another one.",
)
NOT_FOUND: Final = ProblemType(
    "not_found",
    404,
    "There is no such thing.",
    "Nothing that the actor may read has this identifier or address. What is not readable is not found either.",
)
PERSISTED_QUERY_NOT_FOUND: Final = ProblemType(
    "PERSISTED_QUERY_NOT_FOUND",
    404,
    "No GraphQL document is known by this hash or identifier.",
    "Send the document together with its hash: it is kept for a while, and found by its hash alone from then on. "
    "Documents registered by the operator are found at any time.",
)
METHOD_NOT_ALLOWED: Final = ProblemType(
    "method_not_allowed",
    405,
    "This method is not allowed here.",
    "The address exists, but not with this HTTP method. `Allow` lists the methods it has.",
)
NOT_ACCEPTABLE: Final = ProblemType(
    "not_acceptable",
    406,
    "There is no such representation.",
    "There is no representation that `Accept` or `Accept-Encoding` allows. Nothing was done. Responses are "
    "`application/json`, problems `application/problem+json`, uncompressed or compressed with gzip or zstd.",
)
UPLOAD_STALLED: Final = ProblemType(
    "upload_stalled",
    408,
    "The upload has stalled.",
    "No bytes were received for longer than the setting FILES_IDLE_SECONDS. Those received are kept: ask for the "
    "offset with HEAD, and send the rest with `Content-Range`.",
)
CONFLICT: Final = ProblemType(
    "conflict",
    409,
    "This conflicts with the current state.",
    "Another resource already has a value that must be unique, or its state does not permit the change.",
)
IDEMPOTENCY_CONFLICT: Final = ProblemType(
    "idempotency_conflict",
    409,
    "The first request with this key is still under way.",
    "The first request with the same `Idempotency-Key` has not been answered yet. Wait for the number of seconds in "
    "`retry_after` (also the header `Retry-After`) and repeat the request: it gets the first answer, or is executed "
    "then.",
)
PRECONDITION_FAILED: Final = ProblemType(
    "precondition_failed",
    412,
    "It is not the version that was expected.",
    "`If-Match` (in GraphQL `expectedVersion`) does not name the current version of the row, which has changed since "
    "it was read. Or `If-None-Match` names it. Nothing was done; read the row again.",
)
PAYLOAD_TOO_LARGE: Final = ProblemType(
    "payload_too_large",
    413,
    "The request body is too large.",
    "The body exceeds the setting MAX_BODY_BYTES, or a part of it one of its own; `detail` says which.",
)
URI_TOO_LONG: Final = ProblemType(
    "uri_too_long",
    414,
    "The address is too long.",
    "The query string exceeds the setting MAX_QUERY_STRING_BYTES, or the whole address 65,535 bytes. Send a GraphQL "
    "document by POST, or ask for less at once.",
)
UNSUPPORTED_MEDIA_TYPE: Final = ProblemType(
    "unsupported_media_type",
    415,
    "This media type is not supported here.",
    "Bodies are `application/json` (`application/merge-patch+json` too for PATCH), unless the operation says "
    "otherwise, and are not compressed.",
)
RANGE_NOT_SATISFIABLE: Final = ProblemType(
    "range_not_satisfiable",
    416,
    "There is no such range.",
    "The requested bytes lie beyond the end of the file, or the bytes sent do not continue those received before. "
    "`content_range` gives the size of the file, `offset` (also the header `Upload-Offset`) the position at which to "
    "resume an upload.",
)
VALIDATION_FAILED: Final = ProblemType(
    "validation_failed",
    422,
    "Some input is not valid.",
    "One or more fields or parameters are missing, unknown, of the wrong type or out of bounds; `errors` lists "
    "each with its path, a code and a sentence.",
)
IDEMPOTENCY_KEY_REUSED: Final = ProblemType(
    "idempotency_key_reused",
    422,
    "This key was sent with another request.",
    "An `Idempotency-Key` belongs to one request. It was sent before with another operation, row, input or "
    "selection, on the other face, or by credentials with other rights. Nothing was done; choose a new key for a new "
    "request.",
)
IDEMPOTENCY_UNSUPPORTED: Final = ProblemType(
    "idempotency_unsupported",
    422,
    "This write cannot be answered the same way twice.",
    "With an idempotency key a mutation's answer is computed before the commit, which is not possible for every "
    "document. Nothing was done. Select less, without directives other than `@skip` and `@include`. A form with a "
    "file does not support keys.",
)
TOO_COMPLEX: Final = ProblemType(
    "too_complex",
    422,
    "The request asks for too much at once.",
    "The requested lists, nested in each other, could contain more rows than one answer may, or the request exceeds "
    "a limit on its parts, levels or values; `detail` names the limit. Ask for smaller pages, fewer levels, or in "
    "several requests.",
)
PRECONDITION_REQUIRED: Final = ProblemType(
    "precondition_required",
    428,
    "Say which version is to be changed.",
    "Here rows can be changed only by naming the version that was read, so that concurrent changes are not "
    "overwritten (RFC 6585). Send the row's `ETag` as `If-Match`; in GraphQL, its `etag` as `expectedVersion`.",
)
TOO_MANY_REQUESTS: Final = ProblemType(
    "too_many_requests",
    429,
    "Too many attempts.",
    "The caller exceeds the limit on attempts, or on concurrent requests. Wait for the number of seconds in "
    "`retry_after` (also the header `Retry-After`) and try again.",
)
HEADERS_TOO_LARGE: Final = ProblemType(
    "headers_too_large",
    431,
    "The header fields are too large.",
    "Request line and header fields exceed the setting MAX_HEADER_BYTES. The connection is closed.",
)
QUOTA_EXCEEDED: Final = ProblemType(
    "quota_exceeded",
    429,
    "The budget is used up.",
    "The request costs more points (`cost`) than the caller's budget has left (`left`), so it was not executed. The "
    "budget refills continuously: wait for the number of seconds in `retry_after` (also the header `Retry-After`), "
    "or ask for less at once. `policy` names the budget, as the headers `RateLimit-Policy` and `RateLimit` do.",
)
INTERNAL_ERROR: Final = ProblemType(
    "internal_error",
    500,
    "Something went wrong here.",
    "A fault of the gateway, not of the request. `request_id` names it for the operator; nothing else is disclosed.",
)
UNAVAILABLE: Final = ProblemType(
    "unavailable",
    503,
    "The service is not available at the moment.",
    "A component that the gateway depends on does not respond. Try again later.",
)
DEADLINE_EXCEEDED: Final = ProblemType(
    "deadline_exceeded",
    504,
    "This took too long.",
    "The request was not completed within the setting REQUEST_TIMEOUT_SECONDS and was aborted: nothing was changed, "
    "unless another part of the same answer says so. Ask for less at once, or try again later.",
)
