"""Rows of the sample data that examples of the documentation need, and that otherwise come by mail or by themselves.

The tokens in the examples of `confirmEmail`, `verifyEmail`, `resetPassword` and `acceptInvitation` are good here, once
each, because the database has their digests as it has those of mailed ones. They are as public as the passwords of the
sample's accounts, and about no others. Production has no sample data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from rest.openapi.examples import input_example
from rest.openapi.files import UNSENT_KEY
from services.catalogue import OPERATOR, Call, Catalogue
from services.catalogue.identifiers import EXAMPLE_KEY
from services.catalogue.models import NoInput
from services.catalogue.resources import Resource
from services.engine.audit.models import AuditEvent, Outcome
from services.engine.gateway import Gateway
from services.files.models import File
from services.identity.invitations.jobs import sweep_invitations
from services.identity.invitations.models import Invitation
from services.identity.mail.models import MailToken, Purpose
from services.identity.mail.tokens import digest_of, new_token
from services.identity.workspaces.models import Role
from services.jobs.models import Job, JobState
from services.jobs.payloads import Payloads

GOOD_FOR: Final = timedelta(days=3650)
"""Sample data is tried out whenever somebody comes to it."""
_BY_MAIL: Final = {
    "verify_email": Purpose.VERIFY_EMAIL,
    "confirm_email": Purpose.CONFIRM_EMAIL,
    "reset_password": Purpose.RESET_PASSWORD,
}


async def add_examples(gateway: Gateway, people: Mapping[str, UUID], other_id: UUID) -> None:
    """Add the rows, of the modules that are there.

    `people` are the keys of accounts by user name; `other_id` is that of a workspace of charles, which the demo account
    is no member of.
    """
    known = gateway.catalogue.operations
    async with gateway.unit_of_work(OPERATOR) as call:
        if "create_invitation" in known:
            call.session.add_all(_invitations(call, gateway.catalogue, people, other_id))
        if {"get_audit_event", "create_invitation"} <= set(known):
            call.session.add(_event(gateway.catalogue.resources["invitation"], people["demo"]))
        if {"retry_job", "create_invitation"} <= set(known):
            call.session.add(_failed_job(call))
        if set(_BY_MAIL) <= set(known):
            call.session.add_all(_mail_tokens(call.now, gateway.catalogue, people))
        if "create_file" in known:
            call.session.add(
                File(
                    id=UNSENT_KEY, workspace_id=EXAMPLE_KEY, user_id=people["demo"], name="empty.txt", size=0,
                    media_type="text/plain", created_at=call.now,
                )
            )  # fmt: skip


def _invitations(call: Call, catalogue: Catalogue, people: Mapping[str, UUID], other_id: UUID) -> Iterator[Invitation]:
    """One that the demo account has sent, to be seen and revoked; and one that it has got, to be accepted."""
    token = _token(catalogue, "accept_invitation")
    sent = {"id": EXAMPLE_KEY, "workspace_id": EXAMPLE_KEY, "user_id": people["demo"], "digest": digest_of(new_token())}
    got = {"workspace_id": other_id, "user_id": people["charles"], "digest": digest_of(token)}
    for to, values in (("mary", sent), ("demo", got)):
        yield Invitation(
            email=f"{to}@example.com", role=Role.VIEWER, created_at=call.now, expires_at=call.now + GOOD_FOR, **values
        )


def _event(invitations: Resource[Any], user_id: UUID) -> AuditEvent:
    return AuditEvent(
        id=EXAMPLE_KEY, user_id=user_id, as_admin=False, operation="create_invitation", resource=invitations.name,
        resource_id=invitations.encode(EXAMPLE_KEY), workspace_id=EXAMPLE_KEY, outcome=Outcome.DONE,
        changed=["workspace_id", "email"],
    )  # fmt: skip


def _failed_job(call: Call) -> Job:
    """One that can be tried again, and does no harm when it is."""
    return Job(
        id=EXAMPLE_KEY, name=sweep_invitations.name, state=JobState.FAILED, attempts=1, ticket=0,
        payload=call.part(Payloads).written(NoInput()), error="Sample data: it has failed so that it can be retried.",
        created_at=call.now, run_at=call.now, started_at=call.now, finished_at=call.now,
    )  # fmt: skip


def _mail_tokens(now: datetime, catalogue: Catalogue, people: Mapping[str, UUID]) -> Iterator[MailToken]:
    """Mary is to verify her address, and has forgotten her password; charles is to confirm a new address."""
    for operation, purpose in _BY_MAIL.items():
        changes = purpose is Purpose.CONFIRM_EMAIL
        yield MailToken(
            purpose=purpose, digest=digest_of(_token(catalogue, operation)),
            user_id=people["charles" if changes else "mary"],
            email="charles.babbage@example.com" if changes else "mary@example.com",
            created_at=now, expires_at=now + GOOD_FOR,
        )  # fmt: skip


def _token(catalogue: Catalogue, operation: str) -> str:
    found: str = input_example(catalogue.operations[operation])["token"]
    return found
