"""Sample data to try the gateway with: a demo account, others, a workspace with items, labels and comments.

The demo account is an admin, so that all that the documentation shows can be tried out with it. The others are not, and
have the same password.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

from fastapi import FastAPI
from sqlalchemy import event, select

from gateway.demo_examples import add_examples
from gateway.portal.tools import Demo
from gateway.runtime import open_gateway
from gateway.settings import Settings
from services.catalogue import ANONYMOUS, Actor, Catalogue, Identifier, Problem, new_key
from services.catalogue.identifiers import EXAMPLE_KEY
from services.catalogue.models import parse_input
from services.catalogue.problems import CONFLICT
from services.engine.gateway import Gateway
from services.engine.writes import Write
from services.files.forms import Part
from services.files.uploading import CREATE, FormFile, Uploader, upload_file
from services.identity.auth.operations import register
from services.identity.users.models import User
from services.identity.users.schemas import UserRegister

DEMO_USERNAME: Final = "demo"
DEMO_PASSWORD: Final = "demo-password"  # noqa: S105 - public on purpose; refused in production
_COLLEAGUE: Final = "grace"
_OUTSIDER: Final = "charles"
"""Somebody who is no member of the demo account's workspace."""
_UNVERIFIED: Final = "mary"
"""Somebody whose address is not known to be theirs yet."""

_PICTURE: Final = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel."""
_LABELS: Final = {"bug": "#d73a4a", "feature": "#0e8a16", "question": "#5319e7"}
_ITEMS: Final[list[dict[str, Any]]] = [
    {"title": "Read the README", "status": "done", "labels": ["question"], "comments": ["Both faces at once, then."]},
    {"title": "Order the brass wheels", "priority": 3, "due_at": "2030-01-31T12:00:00Z", "labels": ["feature"],
     "description": "Forty, and four spare ones.", "comments": ["They will arrive on Monday.", "Which Monday?"]},
    {"title": "The carry lever sticks", "status": "in_progress", "priority": 4, "labels": ["bug"],
     "comments": ["Only when it rains."], "children": ["Oil the lever", "Measure the play of the axle"]},
]  # fmt: skip


async def load_demo(settings: Settings) -> None:
    """Load the sample data, unless the demo account is there already. The servers of `settings` must be running."""
    catalogue = Catalogue.load(settings.MODULES)
    async with open_gateway(settings, catalogue) as gateway:
        try:
            owner = await _account(gateway, DEMO_USERNAME, "Ada Lovelace", is_superuser=True)
        except Problem as problem:
            if problem.type is not CONFLICT:
                raise
            return
        with _example(User):  # not the owner: what is tried out should not close the account that tries
            colleague = await _account(gateway, _COLLEAGUE, "Grace Hopper")
        outsider = await _account(gateway, _OUTSIDER, "Charles Babbage")
        unverified = await _account(gateway, _UNVERIFIED, "Mary Somerville", email_verified_at=None)
        if {"create_item", "create_label", "create_comment"} <= set(catalogue.operations):
            people = {DEMO_USERNAME: owner, _COLLEAGUE: colleague, _OUTSIDER: outsider, _UNVERIFIED: unverified}
            await _Loader(gateway, people, set()).load()


async def demo_account(app: FastAPI, settings: Settings) -> Demo | None:
    """The demo account, for the pages to offer: where the sample data is, and never in production.

    A page is shown without it when the database does not answer at once.
    """
    gateway: Gateway | None = getattr(app.state, "gateway", None)
    if settings.is_production or gateway is None:
        return None
    wanted = select(User.id).where(
        User.username == DEMO_USERNAME, User.email == _address(DEMO_USERNAME), User.is_active
    )
    try:
        async with asyncio.timeout(1), gateway.database.reading() as session:
            found = await session.scalar(wanted)
    except (Problem, TimeoutError):
        return None
    return Demo(DEMO_USERNAME, DEMO_PASSWORD) if found is not None else None


def _address(username: str) -> str:
    return f"{username}@example.com"


async def _account(gateway: Gateway, username: str, full_name: str, **state: Any) -> Actor:
    """Make an account. Nobody reads what is sent to its address, which counts as verified unless `state` says else."""
    data = {"email": _address(username), "username": username, "full_name": full_name, "password": DEMO_PASSWORD}
    async with gateway.unit_of_work(ANONYMOUS) as call:
        user = await register(call, parse_input(UserRegister, data))
        for name, value in {"email_verified_at": call.now, **state}.items():
            setattr(user, name, value)
    return Actor(user.id, scopes=frozenset(gateway.catalogue.scopes))


@contextmanager
def _example(model: type[Any]) -> Iterator[None]:
    """The one row of a model that is made in the block has the key that examples of the documentation have."""

    def named(_row: Any, _args: Any, values: dict[str, Any]) -> None:
        values["id"] = EXAMPLE_KEY

    event.listen(model, "init", named)
    try:
        yield
    finally:
        event.remove(model, "init", named)


@dataclass(frozen=True, slots=True)
class _Loader:
    gateway: Gateway
    people: Mapping[str, Actor]
    shown: set[str]
    """The nouns of which there is a row with the key of examples."""

    @property
    def owner(self) -> Actor:
        return self.people[DEMO_USERNAME]

    async def load(self) -> None:
        """A shared workspace, and what is in it; besides a session, an API key and a file, of examples' keys too."""
        workspace = await self._create("workspace", {"name": "Analytical Engine", "slug": "analytical-engine"})
        await self._create("membership", {"workspace_id": workspace, "username": _COLLEAGUE, "role": "editor"})
        labels = {
            name: await self._create("label", {"workspace_id": workspace, "name": name, "color": color})
            for name, color in _LABELS.items()
        }
        for item in _ITEMS:
            await self._item(workspace, labels, item)
        # Of somebody whose sessions nothing else ends that is tried out.
        await self._call("session", "login", {"username": _OUTSIDER, "password": DEMO_PASSWORD}, ANONYMOUS)
        signed_in = replace(self.owner, session_id=new_key())
        await self._call("api_key", "create_api_key", {"name": "Nightly import", "scopes": ["items:read"]}, signed_in)
        if CREATE in self.gateway.catalogue.operations:
            await self._file(workspace)
        other = {"name": "Royal Society", "slug": "royal-society"}
        identifier = await self._create("workspace", other, self.people[_OUTSIDER])
        keys = {name: actor.user_id for name, actor in self.people.items() if actor.user_id is not None}
        await add_examples(self.gateway, keys, Identifier("wsp").decode(identifier))

    async def _file(self, workspace: str) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield _PICTURE

        file = FormFile(Part("file", "engine.png", "image/png"), str(len(_PICTURE)), body())
        admitted = await self.gateway.admit(self.gateway.catalogue.operations[CREATE], self.owner)
        sender = Uploader(self.gateway, admitted)
        with _example(self.gateway.catalogue.resources["file"].model):
            await upload_file(sender, file, {"workspace_id": workspace, "size": len(_PICTURE)})

    async def _item(self, workspace: str, labels: Mapping[str, str], item: Mapping[str, Any]) -> None:
        plain = {name: value for name, value in item.items() if name not in ("labels", "comments", "children")}
        chosen = [labels[name] for name in item["labels"]]
        key = await self._create("item", {"workspace_id": workspace, "label_ids": chosen, **plain})
        commenters = self.owner, self.people[_COLLEAGUE]
        for number, body in enumerate(item.get("comments", ())):
            await self._create("comment", {"item_id": key, "body": body}, commenters[number % 2])
        for title in item.get("children", ()):
            await self._create("item", {"workspace_id": workspace, "title": title, "parent_id": key})

    async def _create(self, noun: str, data: Mapping[str, Any], actor: Actor | None = None) -> str:
        """Create a row and return its identifier."""
        record = await self._call(noun, f"create_{noun}", data, actor)
        assert isinstance(record, dict)
        return self.gateway.catalogue.resources[noun].encode(record["id"])

    async def _call(self, noun: str, name: str, data: Mapping[str, Any], actor: Actor | None = None) -> Any:
        """Call an operation that makes a row; the first of its noun has the key of examples."""
        first = noun not in self.shown
        self.shown.add(noun)
        operation, resource = self.gateway.catalogue.operations[name], self.gateway.catalogue.resources[noun]
        with _example(resource.model) if first else nullcontext():
            admitted = await self.gateway.admit(operation, actor or self.owner)
            return await self.gateway.write(admitted, Write(data=data))
