"""Where a request pays, once, before anything of it runs; and where a dry run ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from services.catalogue.actors import Actor
from services.catalogue.problems import BAD_REQUEST, Problem
from services.process.budget.accounts import Charge
from services.process.budget.budget import Budget
from services.queries.costs import MINIMUM

DRY_RUN: Final = b"x-dry-run"
"""The header field that asks for a dry run, on either face."""
_PRICE_ONLY: Final = b"cost"


def is_dry_run(value: bytes | None) -> bool:
    """Whether a request only asks for its price.

    Raises `bad_request` for a dry run of another kind: what asks for one must not be done.
    """
    if value is not None and value.strip().lower() != _PRICE_ONLY:
        raise Problem(BAD_REQUEST, "The only dry run is `X-Dry-Run: cost`.")
    return value is not None


class PricedError(Exception):
    """A dry run has come as far as it goes: the request may be made, and this is what it costs."""

    def __init__(self, payment: Payment) -> None:
        super().__init__()
        self.payment = payment


class OverdrawnError(Exception):
    """The request cannot be paid: `problem` says why. No Problem itself, so that nobody tries another way."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem


@dataclass(slots=True)
class Payment:
    """Where one request (or one operation of a socket) pays. `face` is whose it is, `dry`: only its price is asked."""

    budget: Budget
    face: str
    actor: Actor
    address: str
    dry: bool = False
    cost: int = field(init=False, default=0)
    """Once it is known; 0 until then."""
    charge: Charge | None = field(init=False, default=None)

    async def pay(self, points: int) -> None:
        """Pay for all of the request, before anything of it is done; a second time nothing is charged.

        Raises OverdrawnError, and PricedError where that is all that was asked for.
        """
        if self.cost:
            return
        self.cost = points = max(points, MINIMUM)
        if self.dry:
            points = MINIMUM
        self.charge = self.budget.charge_lease(self.actor, points, self.face)
        if self.charge is None:
            try:
                self.charge = await self.budget.charge(self.actor, self.address, points, self.face)
            except Problem as problem:
                raise OverdrawnError(problem) from None
        if self.dry:
            raise PricedError(self)

    def told(self) -> dict[str, Any]:
        """The cost, and the state of the budget if there is one: the same members on both faces."""
        return {"cost": self.cost} if self.charge is None else {"cost": self.cost, "budget": self.charge.told()}
