"""Labels, and putting them on items."""

from __future__ import annotations

from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import Row, Team, make_item, make_label, make_workspace, personal_workspace, unknown_id


async def labelled(face: Face, actor: Account, label: Row) -> list[str]:
    """The items that a label is on."""
    body = await face.client.get(f"/api/v1/labels/{label['id']}/items", headers=actor.headers)
    return [row["id"] for row in body.json()["data"]]


async def test_name_is_enough_for_a_label(face: Face, ada: Account) -> None:
    made = await face.ok("create_label", ada, {"name": " brass "})
    own = await personal_workspace(face, ada)
    assert (made["name"], made["color"], made["workspace_id"]) == ("brass", "#808080", own["id"])


async def test_name_is_unique_in_its_workspace_without_regard_to_case(face: Face, ada: Account) -> None:
    first = await make_label(face, ada, "Brass")
    answer = await face.call("create_label", ada, {"name": "bRASS"})
    assert (answer.problem, answer.status, answer.errors) == ("conflict", 409, {"name": "unique"})
    assert (await face.ok("list_labels", ada))["data"] == [first]
    other = await make_workspace(face, ada)
    await make_label(face, ada, "Brass", workspace_id=other["id"])


async def test_renaming_to_a_taken_name_conflicts(face: Face, ada: Account) -> None:
    await make_label(face, ada, "brass")
    second = await make_label(face, ada, "steel")
    answer = await face.call("update_label", ada, {"name": "BRASS", "color": "#000000"}, id=second["id"])
    assert (answer.problem, answer.errors) == ("conflict", {"name": "unique"})
    assert await face.ok("get_label", ada, id=second["id"]) == second


async def test_attaching_and_detaching_twice_is_doing_it_once(face: Face, ada: Account) -> None:
    item, label = await make_item(face, ada), await make_label(face, ada)
    for _ in range(2):
        assert (await face.ok("attach_label", ada, {"label_id": label["id"]}, id=item["id"]))["id"] == item["id"]
        assert await labelled(face, ada, label) == [item["id"]]
    for _ in range(2):
        assert (await face.ok("detach_label", ada, {"label_id": label["id"]}, id=item["id"]))["id"] == item["id"]
        assert await labelled(face, ada, label) == []


async def test_the_same_label_given_twice_on_creation_is_attached_once(face: Face, ada: Account) -> None:
    label = await make_label(face, ada)
    item = await make_item(face, ada, label_ids=[label["id"], label["id"]])
    assert await labelled(face, ada, label) == [item["id"]]


async def test_label_of_another_workspace_is_refused(face: Face, ada: Account) -> None:
    item, other = await make_item(face, ada), await make_workspace(face, ada)
    label = await make_label(face, ada, workspace_id=other["id"])
    answer = await face.call("attach_label", ada, {"label_id": label["id"]}, id=item["id"])
    assert (answer.problem, answer.errors) == ("validation_failed", {"label_id": "not_found"})
    assert await labelled(face, ada, label) == []


async def test_foreign_label_is_refused_as_an_unknown_one(face: Face, ada: Account, eve: Account) -> None:
    item, label = await make_item(face, ada), await make_label(face, eve)
    for operation in ("attach_label", "detach_label"):
        answers = [
            await face.call(operation, ada, {"label_id": key}, id=item["id"])
            for key in (label["id"], unknown_id("lbl"))
        ]
        assert (answers[0].problem, answers[0].errors) == ("validation_failed", {"label_id": "not_found"})
        assert answers[0] == answers[1]
    assert await labelled(face, eve, label) == []


async def test_deleted_label_is_taken_off_its_items_which_counts_as_a_change(face: Face, team: Team) -> None:
    label = await make_label(face, team.editor, workspace_id=team.id)
    item = await make_item(face, team.editor, workspace_id=team.id, label_ids=[label["id"]])
    await face.ok("delete_label", team.editor, id=label["id"])
    assert (await face.call("get_label", team.editor, id=label["id"])).problem == "not_found"
    left = await face.ok("get_item", team.editor, id=item["id"])
    assert left["updated_at"] > item["updated_at"]
    assert left == {**item, "version": item["version"] + 1, "updated_at": left["updated_at"]}
