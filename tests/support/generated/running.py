"""How many documents are generated, from what, and by how many tests.

The suite's are the same every time, and `make test` takes some of their parts. FUZZ=50000 makes that many, of random
seeds; FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.support.sampling import sampled

FUZZ: Final = int(os.environ.get("FUZZ") or 0)
PARTS: Final = 8
"""Tests among which the documents are divided, so that workers share them."""
TAKEN: Final = range(PARTS) if FUZZ else sampled(range(PARTS), 1 / PARTS)
"""The parts of this run."""
_SEED: Final = int(os.environ.get("FUZZ_SEED") or (random.SystemRandom().randrange(10**6) if FUZZ else 0))


def size(ordinary: int) -> int:
    """How many one part has to make, where the suite makes so many in all."""
    return max(1, (FUZZ or ordinary) // PARTS)


def run(part: int, times: int, strategy: SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Check what the strategy gives so many times. Making what fails smaller is up to the check."""
    number = _SEED + part
    options = settings(
        max_examples=times, deadline=None, database=None, phases=[Phase.generate], print_blob=False,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip

    # Hypothesis wants a function of its own for each run, and runs it again when it fails: the failure is remembered.
    failures: list[BaseException] = []

    def each(value: Any) -> None:
        if failures:
            raise failures[0]
        try:
            check(value)
        except BaseException as error:
            failures.append(error)
            raise

    told = None
    try:
        seed(number)(options(given(strategy)(each)))()
    except pytest.fail.Exception as failed:
        told = failed.msg
    if told is not None:
        again = f"FUZZ={FUZZ} FUZZ_SEED={_SEED}" if FUZZ else "the same command"
        # Without Hypothesis' notes: the bytes that a document was made of tell nobody anything.
        pytest.fail(f"{told}\n\nRepeat with {again}, part {part}.", pytrace=False)
