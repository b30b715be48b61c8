"""Settings that change what is asked of those who sign up and in, and how many mails anybody may have sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import SettingsError
from gateway.mail import account_url, mail_config
from gateway.settings import Settings, load_settings
from services.catalogue import Catalogue
from services.engine.audit.models import AuditEvent
from services.identity.mail.config import Verification
from services.identity.users.models import User
from tests.services.identity.conftest import PostOffice
from tests.services.identity.mail.test_pages import PRODUCTION
from tests.support.accounts import Account
from tests.support.apps import FACES, Running, client_from, make_admin, running
from tests.support.factories import unique

PASSWORD = "correct horse"
SUBJECTS = {"forgot_password": "Choose", "resend_verification": "Verify"}


def person() -> dict[str, str]:
    name = unique("ada")
    return {"email": f"{name}@example.com", "username": name, "password": PASSWORD}


@pytest.fixture(scope="module")
async def strict(settings: Settings) -> AsyncIterator[Running]:
    """A gateway on which addresses have to be verified, and mails are few."""
    more = {"EMAIL_VERIFICATION": Verification.REQUIRED, "MAILS_PER_SENDER": "4/hour", "MAILS_PER_ADDRESS": "2/hour"}
    async with running(settings.model_copy(update=more)) as found:
        yield found


@pytest.mark.parametrize("face_name", ["rest", "graphql"])
async def test_nobody_signs_in_before_their_address_is_verified(
    strict: Running, tmp_path: Path, face_name: str
) -> None:
    face, post, data = strict.face(face_name), PostOffice(strict.gateway, tmp_path), person()
    await face.ok("create_user", None, data)
    known = {"username": data["username"], "password": PASSWORD}
    refused = await face.call("login", None, known)
    assert (refused.problem, refused.status) == ("email_unverified", 403)
    # That somebody knows it is in the audit.
    async with strict.gateway.database.reading() as session:
        mine = AuditEvent.user_id.in_(select(User.id).where(User.username == data["username"]))
        written = select(AuditEvent.problem).where(mine, AuditEvent.operation == "login")
        assert list((await session.execute(written)).scalars()) == ["email_unverified"]
    # Who does not know the password learns nothing of it.
    assert (await face.call("login", None, {**known, "password": "wrong horse"})).problem == "invalid_credentials"
    await face.ok("verify_email", None, {"token": await post.token(data["email"], "Verify")})
    assert (await face.ok("login", None, known))["token_type"] == "bearer"


async def test_who_has_mistyped_their_address_signs_up_under_another_name_or_asks_an_admin(
    strict: Running, tmp_path: Path
) -> None:
    post, wrong, right, boss = PostOffice(strict.gateway, tmp_path), person(), person(), person()
    async with client_from(strict.app) as client:
        face = FACES["rest"](client, strict.gateway.catalogue)
        first, root = [(await face.ok("create_user", None, each))["id"] for each in (wrong, boss)]
        again = await face.call("create_user", None, {**right, "username": wrong["username"]})
        assert (again.problem, again.errors) == ("conflict", {"username": "unique"})
        await face.ok("create_user", None, right)
        await face.ok("verify_email", None, {"token": await post.token(right["email"], "Verify")})
        await face.ok("login", None, {"username": right["username"], "password": PASSWORD})
        # The account of the wrong address stays; an admin may give it the right one.
        await face.ok("verify_email", None, {"token": await post.token(boss["email"], "Verify")})
        admin = await make_admin(strict.gateway, client, Account(root, boss["username"], PASSWORD, {}))
        mended = f"{unique('mended')}@example.com"
        await face.ok("update_user", admin, {"email": mended}, id=first)
        await face.ok("verify_email", None, {"token": await post.token(mended, "Verify")})
        await face.ok("login", None, {"username": wrong["username"], "password": PASSWORD})


@pytest.mark.parametrize("face_name", ["rest", "graphql"])
@pytest.mark.parametrize("name", ["forgot_password", "resend_verification"])
async def test_mails_to_one_address_are_few_be_there_an_account_or_not(
    strict: Running, tmp_path: Path, face_name: str, name: str
) -> None:
    post, data = PostOffice(strict.gateway, tmp_path), person()
    await strict.face(face_name).ok("create_user", None, data)
    # The mail of the sign-up is one of them.
    sent = len(await post.mails(data["email"])) if name == "resend_verification" else 0
    for email, left in ((data["email"], 2 - sent), (f"{unique('nobody')}@example.com", 2)):
        async with client_from(strict.app) as client:
            face = FACES[face_name](client, strict.gateway.catalogue)
            answers = [await face.call(name, None, {"email": each}) for each in (email, email.upper(), email)]
        assert [each.problem for each in answers] == [None] * left + ["too_many_requests"] * (3 - left)
    assert len([each for each in await post.subjects(data["email"]) if each.startswith(SUBJECTS[name])]) == 2 - sent


async def test_mails_of_one_network_and_of_one_account_are_few(strict: Running, tmp_path: Path) -> None:
    face, data = strict.face("rest"), person()
    asked = [await face.call("forgot_password", None, {"email": f"{unique('x')}@example.com"}) for _ in range(5)]
    assert [each.problem for each in asked] == [None] * 4 + ["too_many_requests"]
    async with client_from(strict.app) as client:
        made = await FACES["rest"](client, strict.gateway.catalogue).ok("create_user", None, data)
    post = PostOffice(strict.gateway, tmp_path)
    await face.ok("verify_email", None, {"token": await post.token(data["email"], "Verify")})
    tokens = await face.ok("login", None, {"username": data["username"], "password": PASSWORD})
    owner = {"Authorization": f"Bearer {tokens['access_token']}"}
    rooms = (await strict.client.get("/api/v1/workspaces", headers=owner)).json()["data"]
    sent = []
    for _ in range(5):
        body = {"workspace_id": rooms[0]["id"], "email": f"{unique('guest')}@example.com"}
        sent.append((await strict.client.post("/api/v1/invitations", json=body, headers=owner)).status_code)
    assert sent == [201] * 4 + [429], made
    listed = await strict.client.get("/api/v1/invitations", headers=owner)
    assert len(listed.json()["data"]) == 4


async def test_without_verification_sign_ups_are_not_written_to(settings: Settings, tmp_path: Path) -> None:
    async with running(settings.model_copy(update={"EMAIL_VERIFICATION": Verification.OFF})) as found:
        data = person()
        await found.face("rest").ok("create_user", None, data)
        assert await PostOffice(found.gateway, tmp_path).mails(data["email"]) == []


async def test_without_the_modules_of_mail_nothing_is_asked_for(settings: Settings, tmp_path: Path) -> None:
    modules = ["services.identity.users", "services.identity.auth", "services.identity.workspaces", "services.jobs"]
    async with running(settings.model_copy(update={"MODULES": modules})) as found:
        data = person()
        await found.face("rest").ok("create_user", None, data)
        known = {"username": data["username"], "password": PASSWORD}
        await found.face("rest").ok("login", None, known)
        assert await PostOffice(found.gateway, tmp_path).waiting("deliver_mail", data["email"]) == []


def test_verification_cannot_be_required_where_nothing_verifies(settings: Settings) -> None:
    modules = ["services.identity.users", "services.identity.auth", "services.identity.workspaces"]
    wanted = settings.model_copy(update={"EMAIL_VERIFICATION": Verification.REQUIRED, "MODULES": modules})
    with pytest.raises(SettingsError, match=r"EMAIL_VERIFICATION=required needs services\.identity\.mail"):
        mail_config(wanted, Catalogue.load(modules))


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "http://127.0.0.1:8000/account"),
        ({"PUBLIC_URL": "https://api.example.org/below"}, "https://api.example.org/below/account"),
        ({"PUBLIC_URL": "https://api.example.org", "ACCOUNT_URL": "https://app.example.org/me"},
         "https://app.example.org/me"),
        (PRODUCTION, ""),
    ],
)  # fmt: skip
def test_links_lead_where_the_settings_say(settings: Settings, values: dict[str, Any], url: str) -> None:
    assert account_url(settings.model_copy(update=values)) == url


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"MAIL_FROM": "Gateway"}, "MAIL_FROM is not an address such as Gateway <gateway@example.org>."),
        ({"MAIL_FROM": "a@example.org\r\nBcc: b@example.org"}, "MAIL_FROM is not an address such as Gateway"),
        ({"MAILS_PER_ADDRESS": "many"}, "MAILS_PER_ADDRESS is not a rate such as '5/hour'."),
        ({"ACCOUNT_URL": "javascript:alert(1)"}, "ACCOUNT_URL is not valid"),
        ({**PRODUCTION, "SMTP_HOST": "mail.example.org"}, "MAIL_FROM must be set in production"),
        (
            {**PRODUCTION, "SMTP_USERNAME": "gateway", "SMTP_SECURITY": "none"},
            "SMTP_SECURITY must not be none in production where SMTP_USERNAME is set.",
        ),
    ],
)  # fmt: skip
def test_settings_that_are_wrong_are_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(_env_file=None, **values)
    assert said in str(caught.value)


async def test_sign_ups_of_one_network_are_not_refused_for_the_mails_that_are_not_sent(
    strict: Running, tmp_path: Path
) -> None:
    post, sent = PostOffice(strict.gateway, tmp_path), []
    async with client_from(strict.app) as client:
        face = FACES["rest"](client, strict.gateway.catalogue)
        for _ in range(6):
            data = person()
            await face.ok("create_user", None, data)
            sent.append(len(await post.mails(data["email"])))
    assert sent == [1] * 4 + [0] * 2


async def test_notices_to_one_address_are_few_but_that_of_its_change(strict: Running, tmp_path: Path) -> None:
    post, data, new = PostOffice(strict.gateway, tmp_path), person(), f"{unique('new')}@example.com"
    async with client_from(strict.app) as client:
        face = FACES["rest"](client, strict.gateway.catalogue)
        await face.ok("create_user", None, data)
        await face.ok("verify_email", None, {"token": await post.token(data["email"], "Verify")})
        tokens = await face.ok("login", None, {"username": data["username"], "password": PASSWORD})
        ada, words = Account("", data["username"], PASSWORD, tokens), [PASSWORD, *(f"horse {n:05}" for n in range(4))]
        for old, word in pairwise(words):
            await face.ok("change_password", ada, {"current_password": old, "new_password": word})
        assert await post.subjects(data["email"]) == ["Your password at Hybrid Gateway was changed"] * 2
        await face.ok("change_email", ada, {"new_email": new, "current_password": words[-1]})
        await face.ok("confirm_email", None, {"token": await post.token(new, "Confirm")})
    assert await post.subjects(data["email"]) == ["Your address at Hybrid Gateway was changed"]
