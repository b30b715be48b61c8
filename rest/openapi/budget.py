"""Budgets in the OpenAPI document: the header fields of responses."""

from __future__ import annotations

from typing import Any, Final

ABOUT_BUDGETS: Final = (
    "Every request costs points of a budget that both share. `RateLimit` gives the points left; with the header "
    "`X-Dry-Run: cost` a request is not executed, and only its cost is returned."
)
BUDGET_HEADERS: Final[dict[str, Any]] = {
    "RateLimit-Policy": {
        "description": "The budgets that the request was charged to: points (`q`) per window (`w`, seconds).",
        "schema": {"type": "string", "examples": ['"default";q=120000;w=60']},
    },
    "RateLimit": {
        "description": "Points left in each budget (`r`), and the seconds until it is full again (`t`).",
        "schema": {"type": "string", "examples": ['"default";r=119979;t=1']},
    },
    "X-Request-Cost": {
        "description": "Points that the request was charged.",
        "schema": {"type": "string", "examples": ["21"]},
    },
}
