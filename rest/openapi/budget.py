"""What OpenAPI says of budgets: the header fields of answers, declared once."""

from __future__ import annotations

from typing import Any, Final

ABOUT_BUDGETS: Final = (
    "Every request costs points, of a budget that both share. `RateLimit` says what is left of it; with the header "
    "`X-Dry-Run: cost` a request is not made, and only its price is told."
)
BUDGET_HEADERS: Final[dict[str, Any]] = {
    "RateLimit-Policy": {
        "description": "The budgets that the request was charged to: points (`q`) that come in a time (`w`, seconds).",
        "schema": {"type": "string", "examples": ['"default";q=120000;w=60']},
    },
    "RateLimit": {
        "description": "Points left of each (`r`), and the seconds until all are there again (`t`).",
        "schema": {"type": "string", "examples": ['"default";r=119979;t=1']},
    },
    "X-Request-Cost": {
        "description": "Points that the request was charged.",
        "schema": {"type": "string", "examples": ["21"]},
    },
}
