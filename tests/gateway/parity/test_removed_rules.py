"""No rule can be lost unnoticed: each is taken out in turn, and the proof must go red."""

from __future__ import annotations

from typing import Final

import pytest

from gateway.parity.judging.proof import Proof
from gateway.parity.report.matrix import Cells, deviations
from gateway.parity.report.removing import is_caught, removals
from services.catalogue import Kind
from tests.support.sampling import WHOLE, sampled

pytestmark = pytest.mark.sampled

SHARE: Final = 1 / 12
"""Of the rules, in a sample."""
KINDS: Final = {"rule", "mask", "where", "scope", "read scope"}


async def test_every_rule_that_is_taken_out_is_missed(proof: Proof, recorded: Cells) -> None:
    every = sampled(removals(proof.sandbox.gateway.catalogue), SHARE)
    caught = [each.name for each in every if await is_caught(each, proof, recorded)]
    print(f"{len(every)} rules removed, {len(caught)} caught.")  # noqa: T201
    assert {each.name for each in every} == set(caught)
    kinds = {each.name.rpartition(" ")[0] for each in every}
    assert kinds <= KINDS
    assert not WHOLE or kinds == KINDS


async def test_nothing_is_noticed_once_all_rules_are_back(proof: Proof, recorded: Cells) -> None:
    """Whatever was caught was caught because of the rule."""
    proof.sandbox.renew()
    reads = [(operation, case) for operation, case in proof.planned if case.recorded and operation.kind is Kind.LIST]
    findings = await proof.run(sampled(reads, SHARE))
    assert findings.agree
    assert list(deviations(recorded, findings.measured, whole=False)) == []
