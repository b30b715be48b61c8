"""What schemathesis is told beside its configuration; it imports this file by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Refusals of requests that the document allows, since it cannot say more: each with what it cannot say.
CODES = {"not_found", "wrong", "unique", "cursor", "conflict"}
"""Something that is there, or is not: what a reference leads to, a password, a cursor's list."""
FIELDS = ("fields[", "include[", "scopes[", "filter", "networks[")
"""Names of things in the catalogue, how much there may be in all, forms that have no pattern."""
WORDS = {"This must be an integer.", "This should have at least 1 character."}
"""1.0, which JSON Schema takes for an integer; and texts of blanks, which are cut off."""
PROBLEMS = {"idempotency_key_reused", "too_complex", "precondition_failed"}


@schemathesis.check
def valid_data_is_accepted(ctx: Any, response: Any, case: Any) -> bool | None:
    """As `positive_data_acceptance`, but for what depends on more than the document can say."""
    if response.status_code in (412, 422) and _is_beyond(response.json()):
        return None
    found: bool | None = positive_data_acceptance(ctx, response, case)
    return found


def _is_beyond(problem: Mapping[str, Any]) -> bool:
    if problem["code"] in PROBLEMS:
        return True
    errors = problem.get("errors", ())
    return bool(errors) and all(
        each["code"] in CODES or each["field"].startswith(FIELDS) or each["message"] in WORDS for each in errors
    )
