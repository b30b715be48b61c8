"""Every operation on every way by everybody comes to the same, and to what the documentation says."""

from __future__ import annotations

from typing import Any, Final

import pytest

from gateway.parity.calls import ways
from gateway.parity.judging.declared import DECLARED
from gateway.parity.judging.proof import Findings, Proof
from gateway.parity.report.matrix import Cells, deviations
from gateway.parity.report.report import html_report, sides, summary
from gateway.parity.world.world import BOUND_KEY
from services.catalogue import Catalogue, models
from tests.support.sampling import WHOLE, sampled

pytestmark = pytest.mark.sampled

QUICK = ("viewer", "owner")
"""Who makes the calls with other inputs than the first; `gateway parity` lets everybody make them."""
SHARE: Final = 1 / 16
"""Of the calls, in a sample."""
in_full = pytest.mark.skipif(not WHOLE, reason="A sample does not come to everything: make proof.")


@pytest.fixture(scope="module")
async def findings(proof: Proof) -> Findings:
    # What a role can do with an operation is known when all of its recorded cases have been called.
    names = set(sampled(dict.fromkeys(operation.name for operation, _ in proof.planned), SHARE))
    first = [(operation, case) for operation, case in proof.planned if case.recorded and operation.name in names]
    further = [(operation, case) for operation, case in proof.planned if not case.recorded]
    found = await proof.run([*first, *sampled(further, SHARE)], by=QUICK)
    print(summary(found))  # noqa: T201 - what `pytest -s` and a failure show
    return found


def test_all_ways_agree(findings: Findings) -> None:
    assert [(str(each.made), each.way, sides(each)) for each in findings.differences] == []


def test_whoever_lacks_a_scope_or_a_credential_is_refused_for_it(findings: Findings) -> None:
    assert findings.faults == []


def test_each_role_can_do_what_is_documented(findings: Findings, recorded: Cells) -> None:
    assert list(deviations(recorded, findings.measured, whole=WHOLE)) == []


@pytest.mark.proof
@in_full
def test_every_operation_is_called_by_everybody(findings: Findings, proof: Proof) -> None:
    catalogue: Catalogue = proof.sandbox.gateway.catalogue
    assert {name for name, _ in findings.outcomes} == set(catalogue.operations)
    roles = {"anonymous", "outsider", "viewer", "editor", "owner", "admin"}
    assert all(roles <= outcomes.keys() for outcomes in findings.outcomes.values())
    called = {(name, caller.partition(" without ")[2]) for (name, _), o in findings.outcomes.items() for caller in o}
    assert called >= {(each.name, each.scope) for each in catalogue.operations.values() if each.scope}


@pytest.mark.proof
@in_full
def test_declared_differences_are_there(findings: Findings) -> None:
    """A declaration that nothing falls under is to be deleted."""
    assert set(findings.deliberate) == set(DECLARED)


async def test_nothing_remains_of_the_calls(findings: Findings, proof: Proof) -> None:
    assert await proof.sandbox.changes() == {}


async def test_a_face_that_differs_is_found(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof of the proof: what the services show is another thing now."""
    shown = ways._row

    def shouted(resource: Any, record: Any) -> Any:
        return {name: each.upper() if name == "name" else each for name, each in shown(resource, record).items()}

    monkeypatch.setattr(ways, "_row", shouted)
    found = await proof.run([each for each in proof.planned if each[0].name == "create_label" and each[1].recorded])
    assert {each.way for each in found.differences} == {"rest", "graphql"}
    assert {tuple(each.places) for each in found.differences} == {(("data", "name"),)}
    writers = {"editor", "owner", "admin"}
    by_key = {*(f"{each} by key" for each in writers), BOUND_KEY}
    assert {each.made.caller.name for each in found.differences} == writers | by_key
    assert not found.agree
    assert "create_label, valid, by editor: graphql" in html_report(found)


async def test_number_that_one_face_takes_is_found(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input models take 2.0 for no integer, which GraphQL's variables make one of before."""
    monkeypatch.setattr(models, "coerce_integer", lambda value: value)
    forms = {f"priority, written: {form}" for form in ("a point", "an exponent", "a fraction", "a zero before it")}
    planned = [each for each in proof.planned if each[0].name == "create_item" and each[1].name in forms]
    found = await proof.run(planned)
    assert {(each.made.case.name, each.way) for each in found.differences} == {
        ("priority, written: a point", "graphql"), ("priority, written: an exponent", "graphql"),
    }  # fmt: skip


async def test_rows_that_differ_are_found(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    """One way writes something that it does not show."""
    served = ways.CallPaths._served

    async def careless(self: ways.CallPaths, made: Any) -> Any:
        result = await served(self, made)
        await self.sandbox.driver.execute("update labels set color = '#000000'")
        return result

    monkeypatch.setattr(ways.CallPaths, "_served", careless)
    planned = [each for each in proof.planned if each[0].name == "get_label" and each[1].target == "shared"]
    found = await proof.run(planned[:1])
    assert found.differences
    places = {path for each in found.differences for path in each.places}
    assert all(path[:2] == ("rows", "labels") or path == ("rows",) for path in places)
