"""Names of files: of any language, seen for what they are, and without what gets lost where they are saved."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from services.files.schemas import FileName
from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.uploads import PNG, announced

PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.pdf"
KEPT = [
    PERSIAN, "\u0915\u094d\u200d\u0937.txt", "Auf\u200clage.md", "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "\u2764\ufe0f\u200d\U0001f525.gif", "\U0001f469\U0001f3fd\u200d\U0001f4bb.png", "\U0001f642\u200d\u2194\ufe0f.png",
    "aux.c", "10:30 what?.txt", "a.tar.gz", "!", "_", "a\u3164b", "...a",
]  # fmt: skip
HIDDEN = [
    "\u200da", "a\u200d", "a\u200c\u200cb", "a \u200db", "1\u200d2", "<\u200c>", "\U000e0041a", "a\u200eb", "a\u2066b",
    "\na", "a\t",
]  # fmt: skip
BLANK = [
    " ", "\u00a0", "\u3000", "\u2800", "\u3164", "\u115f\u1160\uffa0", ". . .", "\u2003.\u3164", "\ufe0f", "\u0301.",
]  # fmt: skip
AROUND = [" a.exe", "a.exe ", "a.exe.", "\u3000a.exe. .\u00a0", "a.exe\u3164", "\u2800a.exe.."]

names: TypeAdapter[str] = TypeAdapter(FileName)


@pytest.mark.parametrize("name", KEPT)
def test_names_keep_the_joiners_of_their_language_and_what_only_windows_does_not_take(name: str) -> None:
    assert names.validate_python(name) == name


@pytest.mark.parametrize("name", AROUND)
def test_blanks_around_names_and_dots_behind_them_are_cut_off(name: str) -> None:
    assert names.validate_python(name) == "a.exe"


@pytest.mark.parametrize("name", HIDDEN + BLANK)
def test_names_of_what_cannot_be_seen_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        names.validate_python(name)


@pytest.mark.parametrize(("given", "kept"), [(PERSIAN, PERSIAN), ("\u3000a.exe. ", "a.exe")])
async def test_both_faces_keep_the_same_names(face: Face, ada: Account, given: str, kept: str) -> None:
    made = await face.ok("create_file", ada, announced(PNG, name=given))
    assert (await face.ok("get_file", ada, id=made["id"]))["name"] == kept


async def test_types_are_the_same_in_capitals(face: Face, ada: Account) -> None:
    made = await face.ok("create_file", ada, announced(PNG, media_type="Application/Vnd.ms-excel.macroEnabled.12"))
    found = await face.ok("get_file", ada, id=made["id"])
    assert found["media_type"] == "application/vnd.ms-excel.macroenabled.12"


@pytest.mark.parametrize("name", ["\u3164", "a\u200d"])
async def test_both_faces_say_which_field_is_refused(face: Face, ada: Account, name: str) -> None:
    answer = await face.call("create_file", ada, announced(PNG, name=name))
    assert (answer.problem, answer.errors) == ("validation_failed", {"name": "format"})
    assert (await face.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []


async def test_a_file_of_no_bytes_is_to_be_sent_as_well(face: Face, ada: Account) -> None:
    made = await face.ok("create_file", ada, announced(b""))
    early = await face.call("complete_file", ada, id=made["id"])
    assert (early.problem, early.members and early.members["detail"]) == (
        "conflict", "Its bytes, of which there are none, have not been sent yet: PUT an empty body.",
    )  # fmt: skip
    assert (await face.client.put(made["upload_url"])).status_code == 204
    assert (await face.ok("complete_file", ada, id=made["id"]))["state"] == "complete"
