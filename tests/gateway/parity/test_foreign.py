"""The proof knows no noun of the sample: it does as well with resources from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.migrate import upgrade
from gateway.parity.judging.measured import MeasuredMatrix
from gateway.parity.judging.proof import Findings, Proof
from gateway.parity.report.matrix import END, START, Cells, cells, deviations, parse, record, recorded_in
from gateway.parity.report.removing import is_caught, removals
from gateway.parity.world import values
from gateway.parity.world.values import NoValueError
from gateway.settings import Settings
from services.catalogue import DeclarationError
from tests.support.databases import empty_database
from tests.support.proving import prepared

MODULES = ["services.identity.users", "services.identity.auth", "services.identity.workspaces", "tests.support.foreign"]
NOUN = "milestone"


@pytest.fixture(scope="module")
async def proof(settings: Settings) -> AsyncIterator[Proof]:
    """A proof of the core with a package from outside."""
    async with empty_database(settings) as url:
        wanted = Settings(_env_file=None, **{**settings.model_dump(), "DATABASE_URL": url, "MODULES": MODULES})
        await asyncio.to_thread(upgrade, wanted)
        async with prepared(wanted) as found:
            yield found


@pytest.fixture(scope="module")
async def findings(proof: Proof) -> Findings:
    """What was found of the operations from outside, and of the relation that leads to their resource."""
    about = [
        (operation, case)
        for operation, case in proof.planned
        if (operation.resource is not None and operation.resource.name == NOUN) or case.include == "milestones"
    ]
    return await proof.run(about)


def test_all_ways_agree_on_a_foreign_resource(findings: Findings) -> None:
    assert (findings.differences, findings.faults) == ([], [])
    assert {name for name, _ in findings.outcomes} == {
        "list_milestones", "get_milestone", "create_milestone", "reach_milestone", "get_workspace"
    }  # fmt: skip


def test_rights_on_a_foreign_resource_are_measured(findings: Findings) -> None:
    measured = cells(findings.measured)
    assert measured["reach_milestone", "shared"] == ("milestones:write", "401", "404", "403", "yes", "yes", "yes", "")
    assert measured["reach_milestone", "foreign"] == ("milestones:write", "401", "404", "404", "404", "404", "yes", "")
    assert measured["workspace.milestones", "shared"][2:4] == ("404", "shared, editor's")


async def test_removed_rule_of_a_foreign_resource_is_missed(findings: Findings, proof: Proof) -> None:
    removal = next(each for each in removals(proof.sandbox.gateway.catalogue) if each.name == f"rule {NOUN}.update")
    assert await is_caught(removal, proof, cells(findings.measured))
    of_nothing = replace(removal, value=getattr(removal.owner, removal.attribute))
    assert not await is_caught(of_nothing, proof, cells(findings.measured))


def test_matrix_in_a_page_can_be_read_again(findings: Findings) -> None:
    page = f"# Rights\n\n{START}\n{END}\nMore.\n"
    written = record(record(page, findings.measured), findings.measured)
    assert written.startswith("# Rights\n\n<!--")
    assert written.endswith("<!-- matrix: end -->\nMore.\n")
    assert parse(recorded_in(written)) == cells(findings.measured)
    with pytest.raises(ValueError, match="has not the lines"):
        record("# Rights", findings.measured)


def test_deviations_name_the_line_and_the_role(findings: Findings) -> None:
    recorded: Cells = cells(findings.measured)
    line = ("get_milestone", "foreign")
    recorded[line] = (*recorded[line][:3], "yes", *recorded[line][4:])
    assert list(deviations(recorded, findings.measured, whole=True)) == [
        "get_milestone (foreign): viewer is 404, recorded as yes."
    ]
    nothing = MeasuredMatrix(findings.measured.world)
    assert list(deviations({line: ()}, nothing, whole=False)) == []
    assert list(deviations({line: ()}, nothing, whole=True)) == [
        "get_milestone (foreign) is recorded and was not measured."
    ]


def test_field_that_nothing_is_valid_in_is_named(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(field: object, salt: str, refer: object) -> None:
        raise NoValueError

    monkeypatch.setattr(values, "right", refuse)
    operation = proof.sandbox.gateway.catalogue.operations["create_milestone"]
    with pytest.raises(DeclarationError, match="examples") as caught:
        values.filled(proof.world, operation, "salt")
    assert caught.value.location == operation.location
