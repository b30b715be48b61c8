"""REST at the till: who pays for a request, and how a dry run is answered."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.catalogue import Actor
from services.engine.gateway import Gateway
from services.engine.payment import DRY_RUN, Payment, is_dry_run
from services.process.budget.budget import Budget


def payment_of(request: Request, gateway: Gateway, actor: Actor) -> Payment | None:
    """Where a request pays; None where nobody has a budget. Raises as `is_dry_run`."""
    budget = gateway.part(Budget)
    dry = asks_for_the_price(request)
    if not budget.is_on and not dry:
        return None
    client = request.scope.get("client")
    return Payment(budget, "rest", actor, client[0] if client else "", dry)


def asks_for_the_price(request: Request) -> bool:
    """Whether a request asks for its price only. Raises as `is_dry_run`."""
    # The first of several fields of one name counts.
    return is_dry_run(next((value for name, value in request.scope["headers"] if name == DRY_RUN), None))


def priced(payment: Payment) -> Response:
    """The answer to a dry run."""
    return Response(orjson.dumps(payment.told()), 200, None, "application/json")
