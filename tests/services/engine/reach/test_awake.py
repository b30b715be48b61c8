"""The walk reports what leaks: with a rule taken away, it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any
from unittest.mock import patch

import pytest

from services.catalogue import everyone
from services.queries.cursors import CursorCodec, SortTerm
from services.storage import rows
from tests.support.asgi import Reply
from tests.support.reach.answers import Answers
from tests.support.reach.documents import documents, variables_of
from tests.support.reach.graph import Hop, Way, paths
from tests.support.reach.pair import PARTS, PATHS, Reach, Tally
from tests.support.reach.refusals import Asked, same
from tests.support.reach.rows import MAKERS
from tests.support.reach.scan import Scan
from tests.support.reach.start import started_at
from tests.support.reach.world import World, gaps
from tests.support.sampling import sampled

pytestmark = pytest.mark.sampled


def forget(reach: Reach) -> None:
    """Plans and statements have the rules in them."""
    for each in reach.ways.values():
        if each.gateway.reader is not None:
            each.gateway.reader.plans._remembered.clear()
    remembered: list[Any] = [rows._locking, rows._placing, rows._readable]
    for statement in remembered:
        statement.cache_clear()


@contextmanager
def without(reach: Reach, change: Callable[[World], Any]) -> Iterator[None]:
    """A rule changed, in memory, and nothing remembered of it before or after."""
    forget(reach)
    try:
        with change(reach.world):
            yield
    finally:
        forget(reach)


def short(root: Hop) -> int:
    """From lists to the rows beside them; of the rest the rows themselves."""
    return 2 if root.way is Way.PAGE else 1


async def faults(reach: Reach, way: str) -> list[str]:
    """What a short walk reports to somebody who has nothing to do with anybody."""
    caller, tally = reach.world.caller("outsider"), Tally()
    for document in documents(reach.schema, paths(reach.schema, reach.schema.query_type, short), PARTS[way]):
        variables = variables_of(document.tree, started_at(reach.world, caller))
        answer = await reach.graphql(way, caller, document.query, variables, tally)
        Answers(reach.world, caller, tally, way).check(answer["data"], document.tree, variables)
    return tally.faults


@pytest.mark.parametrize(("way", "name"), sampled(product(PATHS, MAKERS), 1 / 8))
async def test_a_missing_read_rule_is_reported(reach: Reach, way: str, name: str) -> None:
    policy = reach.world.catalogue.resources[name].policy
    with without(reach, lambda world: patch.dict(policy.rules, read=everyone)):
        found = await faults(reach, way)
    assert any("secret-" in each or "the identifier" in each for each in found)
    assert any(" instead of " in each for each in found)


@pytest.mark.parametrize("way", PATHS)
async def test_a_missing_mask_is_reported(reach: Reach, way: str) -> None:
    policy = reach.world.catalogue.resources["user"].policy
    with without(reach, lambda world: patch.dict(policy.masks, clear=True)):
        found = await faults(reach, way)
    assert any("secret-mailolga-user in an answer" in each for each in found)


@pytest.mark.parametrize("way", PATHS)
async def test_nothing_is_reported_with_every_rule_in_place(reach: Reach, way: str) -> None:
    assert await faults(reach, way) == []


@pytest.mark.parametrize("way", PATHS)
async def test_a_hidden_row_that_is_told_from_none_is_reported(reach: Reach, way: str) -> None:
    labels, caller, tally = reach.world.catalogue.resources["label"], reach.world.caller("outsider"), Tally()
    foreign = labels.encode(reach.world.foreign(caller, labels)[0].key)
    with without(reach, lambda world: patch.dict(labels.policy.rules, read=everyone)):
        await same(reach, way, caller, Asked("GET", "/api/v1/labels/@"), foreign, tally)
    assert any("is answered" in each for each in tally.faults)


def test_marks_are_found_wherever_they_are(reach: Reach) -> None:
    scan = Scan(reach.world, reach.world.caller("outsider"))
    mark, row = "secret-shared-item-title s0", next(row for row in reach.world.rows["item"] if row.group == "shared")
    cursor = CursorCodec(b"a key").sign(reach.world.catalogue.resources["item"], [SortTerm("title")], [mark])
    answers = [
        (b"", {"link": f"<{mark}>"}),
        (mark.encode(), {}),
        (cursor.encode(), {}),
        (f"itm_{row.key.hex}".encode(), {}),
    ]
    found = [scan.leaks(Reply(200, headers, content)) for content, headers in answers]
    assert found == [
        ["secret-shared-item in an answer"],
        ["secret-shared-item in an answer"],
        ["secret-shared-item in a cursor"],
        [f"the identifier {row.key.hex}"],
    ]


def test_a_resource_without_rows_is_reported(reach: Reach) -> None:
    world = reach.world
    without_labels = {name: rows for name, rows in world.rows.items() if name != "label"}
    found = gaps(World(world.catalogue, without_labels, world.links, world.callers))
    assert any("no rows of label in the walk's world" in each for each in found)
