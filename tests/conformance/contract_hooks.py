"""What schemathesis is told beside its configuration; it imports this file by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import schemathesis
from schemathesis.openapi.checks import AllowHeaderMismatch
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    positive_data_acceptance,
    unsupported_method,
)

# Refusals of requests that the document allows, since it cannot say more: each with what it cannot say.
CODES = {"not_found", "wrong", "unique", "cursor", "conflict", "invalid", "confirmation"}
"""Something that is there, or is not: what a reference leads to, a password, a mail's token, a cursor's list."""
FIELDS = ("fields[", "include[", "scopes[", "filter", "networks[")
"""Names of things in the catalogue, how much there may be in all, forms that have no pattern."""
WORDS = {
    "This should have at least 1 character.",
    "This password has characters that are not the same on every keyboard.",
}
"""Texts of blanks, which are cut off; and the classes of characters of RFC 8265, which no pattern holds."""
NO_MAIL = (".test", ".invalid", ".local", ".localhost", ".onion", ".arpa")
"""Domains to which no mail can be sent (RFC 6761): `format: email` allows them, and a pattern without lookahead, which
not every program knows, cannot take them out."""
PROBLEMS = {"idempotency_key_reused", "idempotency_unsupported", "too_complex", "precondition_failed"}


@schemathesis.check
def valid_data_is_accepted(ctx: Any, response: Any, case: Any) -> bool | None:
    """As `positive_data_acceptance`, but for what depends on more than the document can say."""
    if response.status_code in (412, 422) and _is_beyond(response.json(), case.body):
        return None
    found: bool | None = positive_data_acceptance(ctx, response, case)
    return found


@schemathesis.check
def undeclared_methods_are_refused(ctx: Any, response: Any, case: Any) -> bool | None:
    """As `unsupported_method`, but for QUERY, for which OpenAPI 3.1 has no word."""
    if response.request.method == "QUERY" and _has_query(case):
        return None
    found: bool | None = unsupported_method(ctx, response, case)
    return found


@schemathesis.check
def allowed_methods_are_declared(ctx: Any, response: Any, case: Any) -> bool | None:
    """As `allow_header_conformance`, but for QUERY."""
    try:
        found: bool | None = allow_header_conformance(ctx, response, case)
    except AllowHeaderMismatch as mismatch:
        if mismatch.missing_methods or mismatch.undocumented_methods != ["QUERY"] or not _has_query(case):
            raise
        return None
    return found


@schemathesis.check
def undocumented_failures_are_found(ctx: Any, response: Any, case: Any) -> bool | None:
    """`default` stands for the problems that it names, and for no others."""
    document = case.operation.schema.raw_schema
    declared = document["paths"][case.operation.path][case.operation.method]["responses"]
    components = document["components"]
    examples = components["responses"]["default"]["content"]["application/problem+json"]["examples"]
    known = {components["examples"][code]["value"]["status"] for code in examples}
    if str(response.status_code) not in declared and response.status_code not in {*known, 405}:
        raise AssertionError(f"{response.status_code} is not in the document")
    return None


def _has_query(case: Any) -> bool:
    """Whether the method QUERY is at the path: where a search by POST is below it."""
    return f"{case.operation.path}/search" in case.operation.schema.raw_schema["paths"]


def _is_beyond(problem: Mapping[str, Any], body: Any) -> bool:
    if problem["code"] in PROBLEMS:
        return True
    errors, given = problem.get("errors", ()), body if isinstance(body, Mapping) else {}
    return bool(errors) and all(
        each["code"] in CODES
        or each["field"].startswith(FIELDS)
        or each["message"] in WORDS
        # How many bytes of a file come is told by the file, which is announced by itself.
        or (each["field"] == "size" and each["code"] == "range")
        or (each["field"] == "email" and str(given.get("email")).lower().endswith(NO_MAIL))
        for each in errors
    )
