"""Addresses are verified, and changed, by those who read what is sent to them."""

from __future__ import annotations

from typing import Any

import pytest

from services.engine.gateway import Gateway
from services.identity.auth.throttle import SignInThrottle
from tests.services.identity.conftest import PostOffice, address, text_of, token_of, user_of, verified
from tests.support.accounts import Account
from tests.support.apps import make_admin
from tests.support.faces import Face
from tests.support.factories import unique

VERIFY, CONFIRM = "Verify your address", "Confirm your new address"
SPENT = ("validation_failed", {"token": "invalid"})


async def test_mail_of_sign_up_verifies_the_address_once(face: Face, ada: Account, post: PostOffice) -> None:
    assert (await face.ok("me", ada))["email_verified"] is False
    (mail,) = await post.mails(address(ada))
    assert (mail["To"], mail["Subject"]) == (address(ada), "Verify your address for Hybrid Gateway")
    assert "http://127.0.0.1:8000/account/verify-email#token=" in text_of(mail)
    assert await face.ok("verify_email", None, {"token": token_of(mail)}) is None
    assert (await face.ok("me", ada))["email_verified"] is True
    again = await face.call("verify_email", None, {"token": token_of(mail)})
    assert (again.problem, again.errors) == SPENT


async def test_whether_an_address_is_verified_is_shown_to_its_user_and_admins(
    face: Face, ada: Account, eve: Account, gateway: Gateway
) -> None:
    shown = await face.ok("get_user", eve, id=ada.id)
    assert (shown["email"], shown["email_verified"]) == (None, None)
    root = await make_admin(gateway, face.client, eve)
    assert (await face.ok("get_user", root, id=ada.id))["email_verified"] is False
    found = await face.ok("list_users", root, filter={"email_verified": True, "username": ada.username})
    assert found["data"] == []


async def test_verification_is_sent_again_to_those_who_need_it_alone(
    face: Face, ada: Account, post: PostOffice
) -> None:
    (first,) = await post.mails(address(ada))
    unknown = f"{unique('nobody')}@example.com"
    for email in (address(ada).upper(), unknown):
        assert await face.ok("resend_verification", None, {"email": email}) is None
    (second,) = await post.mails(address(ada))
    assert await post.mails(unknown) == []
    assert token_of(second) != token_of(first)
    await face.ok("verify_email", None, {"token": token_of(first)})
    await face.ok("resend_verification", None, {"email": address(ada)})
    assert await post.mails(address(ada)) == []
    # The other one was sent for the same, and does no harm.
    await face.ok("verify_email", None, {"token": token_of(second)})


async def test_address_is_changed_once_the_new_one_is_confirmed_and_the_old_one_is_told(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    new = f"{unique('new')}@example.org"
    await verified(gateway, ada)
    await post.mails(address(ada))
    await face.ok("forgot_password", None, {"email": address(ada)})
    reset = await post.token(address(ada), "Choose a new password")
    await face.ok("change_email", ada, {"new_email": new, "current_password": ada.password})
    assert (await face.ok("me", ada))["email"] == address(ada)
    (mail,) = await post.mails(new)
    assert str(mail["Subject"]).startswith(CONFIRM)
    assert await face.ok("confirm_email", None, {"token": token_of(mail)}) is None
    me = await face.ok("me", ada)
    assert (me["email"], me["email_verified"]) == (new, True)
    assert await post.subjects(address(ada)) == ["Your address at Hybrid Gateway was changed"]
    # What was sent to the old address is worth nothing any more.
    answer = await face.call("reset_password", None, {"token": reset, "new_password": "another horse"})
    assert (answer.problem, answer.errors) == SPENT
    assert (await user_of(gateway, ada)).email == new


async def test_address_is_not_changed_without_the_password(face: Face, ada: Account, post: PostOffice) -> None:
    new = f"{unique('new')}@example.org"
    answer = await face.call("change_email", ada, {"new_email": new, "current_password": "wrong horse"})
    assert (answer.problem, answer.errors) == ("validation_failed", {"current_password": "wrong"})
    answer = await face.call("update_user", ada, {"email": new}, id=ada.id)
    assert (answer.problem, answer.errors) == ("validation_failed", {"email": "confirmation"})
    assert await post.mails(new) == []
    assert (await face.ok("me", ada))["email"] == address(ada)


async def test_address_of_another_is_written_to_and_cannot_be_taken(
    face: Face, ada: Account, eve: Account, post: PostOffice
) -> None:
    await post.mails(address(eve))
    await face.ok("change_email", ada, {"new_email": address(eve), "current_password": ada.password})
    token = await post.token(address(eve), CONFIRM)
    answer = await face.call("confirm_email", None, {"token": token})
    assert (answer.problem, answer.errors) == ("conflict", {"email": "unique"})
    assert (await face.ok("me", ada))["email"] == address(ada)
    assert await post.mails(address(ada)) != []  # that of the sign-up
    assert await post.mails(address(ada)) == []


async def test_admin_changes_an_address_which_has_to_be_verified_then(
    face: Face, ada: Account, eve: Account, post: PostOffice, gateway: Gateway
) -> None:
    token = await post.token(address(ada), VERIFY)
    await face.ok("verify_email", None, {"token": token})
    root, new = await make_admin(gateway, face.client, eve), f"{unique('new')}@example.org"
    changed = await face.ok("update_user", root, {"email": new}, id=ada.id)
    assert (changed["email"], changed["email_verified"]) == (new, False)
    assert await post.subjects(address(ada)) == ["Your address at Hybrid Gateway was changed"]
    await face.ok("verify_email", None, {"token": await post.token(new, VERIFY)})
    assert (await face.ok("me", ada))["email_verified"] is True


async def test_token_to_an_address_that_is_none_any_more_verifies_nothing(
    face: Face, ada: Account, eve: Account, post: PostOffice, gateway: Gateway
) -> None:
    token = await post.token(address(ada), VERIFY)
    root = await make_admin(gateway, face.client, eve)
    await face.ok("update_user", root, {"email": f"{unique('new')}@example.org"}, id=ada.id)
    answer = await face.call("verify_email", None, {"token": token})
    assert (answer.problem, answer.errors) == SPENT
    assert (await face.ok("me", ada))["email_verified"] is False


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nSubject: x", "a b@example.com",
        '"a\r\nb"@example.com', "ada@example.com, eve@example.com", "<ada@example.com>", "ada@example.com\x00",
        "x" * 250 + "@example.com", "jürgen@example.com",
    ],
)  # fmt: skip
async def test_address_that_is_none_is_refused_by_name_and_nothing_is_asked_for(
    face: Face, ada: Account, post: PostOffice, email: str
) -> None:
    await post.look_up()
    before = len(await post.waiting("deliver_mail"))
    for name, field, more in (
        ("forgot_password", "email", {}), ("resend_verification", "email", {}),
        ("change_email", "new_email", {"current_password": ada.password}),
    ):  # fmt: skip
        answer = await face.call(name, ada, {field: email, **more})
        assert (answer.problem, list(answer.errors or {})) == ("validation_failed", [field])
    assert await post.waiting("mail_link") == []
    assert len(await post.waiting("deliver_mail")) == before


async def test_address_set_by_an_admin_ends_all_links_that_were_sent_before(
    face: Face, ada: Account, eve: Account, post: PostOffice, gateway: Gateway
) -> None:
    thief, new = f"{unique('thief')}@example.org", f"{unique('new')}@example.org"
    await face.ok("change_email", ada, {"new_email": thief, "current_password": ada.password})
    confirm = await post.token(thief, CONFIRM)
    root = await make_admin(gateway, face.client, eve)
    await face.ok("update_user", root, {"email": new}, id=ada.id)
    answer = await face.call("confirm_email", None, {"token": confirm})
    assert (answer.problem, answer.errors) == SPENT
    assert (await user_of(gateway, ada)).email == new


async def test_old_address_that_was_never_verified_is_not_told(
    face: Face, ada: Account, eve: Account, post: PostOffice, gateway: Gateway
) -> None:
    await post.mails(address(ada))
    root = await make_admin(gateway, face.client, eve)
    await face.ok("update_user", root, {"email": f"{unique('new')}@example.org"}, id=ada.id)
    assert await post.mails(address(ada)) == []


async def test_admin_changes_their_own_address_by_confirming_it_like_everybody(
    face: Face, eve: Account, gateway: Gateway
) -> None:
    root = await make_admin(gateway, face.client, eve)
    answer = await face.call("update_user", root, {"email": f"{unique('new')}@example.org"}, id=root.id)
    assert (answer.problem, answer.errors) == ("validation_failed", {"email": "confirmation"})
    assert (await user_of(gateway, eve)).email == address(eve)


async def test_change_of_address_overtaken_by_a_new_password_is_refused(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post.mails(address(ada))
    await face.ok("forgot_password", None, {"email": address(ada)})
    reset, new = await post.token(address(ada), "Choose a new password"), f"{unique('thief')}@example.org"
    original = SignInThrottle.mail

    async def overtaken(*given: Any, **more: Any) -> None:
        await original(*given, **more)
        monkeypatch.setattr(SignInThrottle, "mail", original)
        await face.ok("reset_password", None, {"token": reset, "new_password": "another horse"})

    monkeypatch.setattr(SignInThrottle, "mail", overtaken)
    answer = await face.call("change_email", ada, {"new_email": new, "current_password": ada.password})
    assert (answer.problem, answer.errors) == ("validation_failed", {"current_password": "wrong"})
    assert await post.mails(new) == []
