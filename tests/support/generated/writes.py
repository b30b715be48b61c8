"""Everything that can be written in the village and answers with a row: who does it, and with what input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.catalogue import Catalogue, Operation
from services.catalogue.resources import Resource
from tests.support.generated.village import JOBS, key

Input = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """Who writes, and the input of the n-th time, each time something else."""

    caller: str
    input: Callable[[int], Input]
    after: tuple[str, Mapping[str, Any]] | None = None
    """What is done first, so that there is something to change: an operation, and its input beside what it shares."""


def _id(prefix: str, name: str) -> str:
    return f"{prefix}_{key(name).hex}"


def _item(number: int) -> str:
    """The identifier of one of the items in the shared workspace."""
    return _id("itm", f"item {number % 12}")


ADA: Final = "ada, owner"
BOB: Final = "bob, editor"
ROOT: Final = "root, admin"
AGAIN: Final = 100
"""Numbers from here on meet nothing that was written under smaller ones."""
SHARED: Final = _id("wsp", "shared")

WRITES: Final[Mapping[str, Written]] = {
    "create_item": Written(BOB, lambda n: {
        "workspaceId": SHARED, "title": f"new {n}", "labelIds": [_id("lbl", "label 0")],
        "assigneeId": _id("usr", "cyd"), "parentId": _item(n), "dueAt": "2031-01-01T00:00:00+01:00",
        "status": "IN_PROGRESS",
    }),
    "update_item": Written(BOB, lambda n: {"id": _item(n), "title": f"changed {n}"}),
    "archive_item": Written(BOB, lambda n: {"id": _item(n)}, ("update_item", {"status": "OPEN"})),
    "attach_label": Written(
        ADA, lambda n: {"id": _item(n), "labelId": _id("lbl", "label 3")}, ("detach_label", {})
    ),
    "detach_label": Written(
        ADA, lambda n: {"id": _item(n), "labelId": _id("lbl", "label 3")}, ("attach_label", {})
    ),
    "attach_file": Written(
        ADA, lambda n: {"id": _item(n), "fileId": _id("fil", "file 3")}, ("detach_file", {})
    ),
    "detach_file": Written(
        ADA, lambda n: {"id": _item(n), "fileId": _id("fil", "file 3")}, ("attach_file", {})
    ),
    "attach_comment_file": Written(
        ADA, lambda n: {"id": _id("cmt", "comment 1 0"), "fileId": _id("fil", "file 3")}, ("detach_comment_file", {})
    ),
    "detach_comment_file": Written(
        ADA, lambda n: {"id": _id("cmt", "comment 1 0"), "fileId": _id("fil", "file 3")}, ("attach_comment_file", {})
    ),
    "set_avatar": Written(
        ADA, lambda n: {"id": _id("usr", "ada"), "fileId": _id("fil", f"file {1 + n % 2 * 2}")},
        ("set_avatar", {"fileId": None}),
    ),
    "complete_file": Written(ADA, lambda n: {"id": _id("fil", "file 1")}),
    "create_label": Written(BOB, lambda n: {"workspaceId": SHARED, "name": f"new {n}", "color": "#123456"}),
    "update_label": Written(BOB, lambda n: {"id": _id("lbl", "label 0"), "name": f"changed {n}"}),
    "create_comment": Written(BOB, lambda n: {"itemId": _item(n), "body": f"new {n}"}),
    "update_comment": Written(ADA, lambda n: {"id": _id("cmt", "comment 1 0"), "body": f"changed {n}"}),
    "create_workspace": Written(ADA, lambda n: {"name": f"New {n}", "slug": f"new-{n}"}),
    "update_workspace": Written(ADA, lambda n: {"id": SHARED, "name": f"Changed {n}"}),
    "create_membership": Written("cyd, viewer", lambda n: {
        "workspaceId": _id("wsp", "empty" if n < AGAIN else "of-cyd"),
        "username": ("ada", "bob", "dan", "eve", "root")[n % 5], "role": "EDITOR",
    }),
    "update_membership": Written(ADA, lambda n: {
        "id": _id("mbr", "shared bob"), "role": ("VIEWER", "EDITOR")[n % 2],
    }),
    "create_invitation": Written(ADA, lambda n: {
        "workspaceId": SHARED, "email": f"new{n}@example.com", "role": ("VIEWER", "EDITOR")[n % 2],
    }),
    "create_user": Written("nobody", lambda n: {
        "email": f"new{n}@example.com", "username": f"new{n}", "password": "correct horse",
    }),
    "update_user": Written(ADA, lambda n: {"id": _id("usr", "ada"), "fullName": f"Changed {n}"}),
    "deactivate_user": Written(ROOT, lambda n: {"id": _id("usr", "dan")}, ("activate_user", {})),
    "activate_user": Written(ROOT, lambda n: {"id": _id("usr", "dan")}, ("deactivate_user", {})),
    "retry_job": Written(ROOT, lambda n: {"id": _id("job", f"job {JOBS + n % AGAIN + (n >= AGAIN) * JOBS}")}),
}  # fmt: skip


def writes(catalogue: Catalogue) -> list[Operation]:
    """The operations that write and answer with a row; each must have its input here."""
    found = [each for each in catalogue.operations.values() if not each.is_read and isinstance(each.result, Resource)]
    assert {each.name for each in found} == set(WRITES)
    return sorted(found, key=lambda each: list(WRITES).index(each.name))
