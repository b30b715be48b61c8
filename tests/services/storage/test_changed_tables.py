"""A table that is changed under a running gateway (a migration during a roll-out) costs nobody an internal error."""

from __future__ import annotations

from sqlalchemy import text

from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import make_label


async def test_statements_prepared_for_a_table_as_it_was_are_made_anew(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    first = await make_label(face, ada, "one")
    await face.ok("get_label", ada, id=first["id"])
    for size, name in ((60, "two"), (50, "three")):
        async with gateway.database.engine.begin() as connection:
            await connection.execute(text(f"alter table labels alter column name type varchar({size})"))
        assert (await face.ok("list_labels", ada))["data"][-1] == first
        await face.ok("update_label", ada, {"color": "#00ff00"}, id=(await make_label(face, ada, name))["id"])
    assert [each["name"] for each in (await face.ok("list_labels", ada))["data"]] == ["three", "two", "one"]
