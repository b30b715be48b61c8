"""Sample data to try the gateway with: a demo account, others, a workspace with items, labels and comments.

The demo account is an admin, so that all that the documentation shows can be tried out with it. The others are not, and
have the same password. The tokens in the examples of `confirmEmail`, `verifyEmail`, `resetPassword` and
`acceptInvitation` are good here, once each, because the database has their digests as it has those of mailed ones. They
are as public as the password, and about no other accounts. Production has no sample data.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import event, select

from gateway.portal.tools import Demo
from gateway.runtime import open_gateway
from gateway.settings import Settings
from rest.openapi.examples import input_example
from rest.openapi.files import UNSENT_KEY
from services.catalogue import ANONYMOUS, OPERATOR, Actor, Call, Catalogue, Identifier, Problem, new_key
from services.catalogue.identifiers import EXAMPLE_KEY
from services.catalogue.models import NoInput, parse_input
from services.catalogue.problems import CONFLICT
from services.catalogue.resources import Resource
from services.engine.audit.models import AuditEvent, Outcome
from services.engine.gateway import Gateway
from services.engine.writes import Write
from services.files.forms import Part
from services.files.models import File
from services.files.uploading import CREATE, FormFile, upload_file
from services.identity.auth.operations import register
from services.identity.invitations.jobs import sweep_invitations
from services.identity.invitations.models import Invitation
from services.identity.mail.models import MailToken, Purpose
from services.identity.mail.tokens import digest_of, new_token
from services.identity.users.models import User
from services.identity.users.schemas import UserRegister
from services.identity.workspaces.models import Role
from services.jobs.models import Job, JobState
from services.jobs.payloads import Payloads

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
_LABELS: Final = {"bug": "#d73a4a", "feature": "#0e8a16", "question": "#5319e7"}
_ITEMS: Final[list[dict[str, Any]]] = [
    {"title": "Read the README", "status": "done", "labels": ["question"], "comments": ["Both faces at once, then."]},
    {"title": "Order the brass wheels", "priority": 3, "due_at": "2030-01-31T12:00:00Z", "labels": ["feature"],
     "description": "Forty, and four spare ones.", "comments": ["They will arrive on Monday.", "Which Monday?"]},
    {"title": "The carry lever sticks", "status": "in_progress", "priority": 4, "labels": ["bug"],
     "comments": ["Only when it rains."], "children": ["Oil the lever", "Measure the play of the axle"]},
]  # fmt: skip
_GOOD_FOR: Final = timedelta(days=3650)
"""Sample data is tried out whenever somebody comes to it."""
_BY_MAIL: Final = {
    "verify_email": Purpose.VERIFY_EMAIL,
    "confirm_email": Purpose.CONFIRM_EMAIL,
    "reset_password": Purpose.RESET_PASSWORD,
}


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
        await self._add_examples(Identifier("wsp").decode(identifier))

    async def _file(self, workspace: str) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield _PICTURE

        file = FormFile(Part("file", "engine.png", "image/png"), str(len(_PICTURE)), body())
        admitted = await self.gateway.admit(self.gateway.catalogue.operations[CREATE], self.owner)
        with _example(self.gateway.catalogue.resources["file"].model):
            await upload_file(self.gateway, admitted, file, {"workspace_id": workspace, "size": len(_PICTURE)})

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

    async def _add_examples(self, royal_society: UUID) -> None:
        """Add rows that otherwise come by mail or by themselves, of the modules that are there."""
        known, resources = self.gateway.catalogue.operations, self.gateway.catalogue.resources
        async with self.gateway.unit_of_work(OPERATOR) as call:
            if "create_invitation" in known:
                call.session.add_all(self._invitations(call.now, royal_society))
            if {"get_audit_event", "create_invitation"} <= set(known):
                call.session.add(self._event(resources["invitation"]))
            if {"retry_job", "create_invitation"} <= set(known):
                call.session.add(_failed_job(call))
            if set(_BY_MAIL) <= set(known):
                call.session.add_all(self._mail_tokens(call.now))
            if "create_file" in known:
                call.session.add(
                    File(
                        id=UNSENT_KEY, workspace_id=EXAMPLE_KEY, user_id=self.owner.user_id, name="empty.txt", size=0,
                        media_type="text/plain", created_at=call.now,
                    )
                )  # fmt: skip

    def _invitations(self, now: datetime, royal_society: UUID) -> Iterator[Invitation]:
        """One that the demo account has sent, to be seen and revoked; and one that it has got, to be accepted."""
        sent = {"id": EXAMPLE_KEY, "workspace_id": EXAMPLE_KEY, "digest": digest_of(new_token())}
        got = {"workspace_id": royal_society, "digest": digest_of(self._token("accept_invitation"))}
        for to, sender, values in ((_UNVERIFIED, DEMO_USERNAME, sent), (DEMO_USERNAME, _OUTSIDER, got)):
            yield Invitation(
                email=_address(to), role=Role.VIEWER, user_id=self.people[sender].user_id, created_at=now,
                expires_at=now + _GOOD_FOR, **values,
            )  # fmt: skip

    def _event(self, invitations: Resource[Any]) -> AuditEvent:
        return AuditEvent(
            id=EXAMPLE_KEY, user_id=self.owner.user_id, as_admin=False, operation="create_invitation",
            resource=invitations.name, resource_id=invitations.encode(EXAMPLE_KEY), workspace_id=EXAMPLE_KEY,
            outcome=Outcome.DONE, changed=["workspace_id", "email"],
        )  # fmt: skip

    def _mail_tokens(self, now: datetime) -> Iterator[MailToken]:
        """Mary is to verify her address, and has forgotten her password; charles is to confirm a new address."""
        for operation, purpose in _BY_MAIL.items():
            changes = purpose is Purpose.CONFIRM_EMAIL
            yield MailToken(
                purpose=purpose, digest=digest_of(self._token(operation)),
                user_id=self.people[_OUTSIDER if changes else _UNVERIFIED].user_id,
                email=_address("charles.babbage" if changes else _UNVERIFIED),
                created_at=now, expires_at=now + _GOOD_FOR,
            )  # fmt: skip

    def _token(self, operation: str) -> str:
        """The token in the example of an operation."""
        found: str = input_example(self.gateway.catalogue.operations[operation])["token"]
        return found


def _failed_job(call: Call) -> Job:
    """One that can be tried again, and does no harm when it is."""
    return Job(
        id=EXAMPLE_KEY, name=sweep_invitations.name, state=JobState.FAILED, attempts=1, ticket=0,
        payload=call.part(Payloads).written(NoInput()), error="Sample data: it has failed so that it can be retried.",
        created_at=call.now, run_at=call.now, started_at=call.now, finished_at=call.now,
    )  # fmt: skip
