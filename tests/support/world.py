"""Something to send bad input at: somebody's rows, somebody else's, and names for them in tables of cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.faces import RestFace
from tests.support.factories import make_comment, make_item, make_label, personal_workspace, unknown_id

PREFIXES = {"item": "itm", "label": "lbl", "comment": "cmt", "workspace": "wsp", "user": "usr"}


@dataclass(frozen=True)
class World:
    """`@item` is the actor's item, `@foreign.item` somebody else's, `@unknown.item` nobody's, `@cut.item` malformed."""

    actor: Account
    other: Account
    own: dict[str, str] = field(repr=False)
    foreign: dict[str, str] = field(repr=False)

    def filled(self, value: Any) -> Any:
        """A case's value with identifiers put in."""
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        named = isinstance(value, str) and value.startswith("@") and value.rpartition(".")[2].lstrip("@") in PREFIXES
        return self._named(value[1:]) if named else value

    def _named(self, name: str) -> str:
        whose, _, noun = name.rpartition(".")
        if whose == "unknown":
            return unknown_id(PREFIXES[noun])
        known = self.foreign if whose == "foreign" else self.own
        return known[noun][:-1] if whose == "cut" else known[noun].upper() if whose == "upper" else known[noun]


async def make_world(client: httpx.AsyncClient, gateway: Gateway) -> World:
    """Two accounts with an item, a label, a comment and a workspace each."""
    face = RestFace(client, gateway.catalogue)
    actor, other = await sign_up(client), await sign_up(client)
    return World(actor, other, await _belongings(face, actor), await _belongings(face, other))


async def _belongings(face: RestFace, account: Account) -> dict[str, str]:
    item = await make_item(face, account)
    rows = {
        "item": item,
        "label": await make_label(face, account),
        "comment": await make_comment(face, account, item),
        "workspace": await personal_workspace(face, account),
    }
    return {"user": account.id, **{name: row["id"] for name, row in rows.items()}}
