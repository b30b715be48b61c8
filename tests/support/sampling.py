"""What the proofs go through: a share of it in `make test`, all of it in `make proof`.

A share is part of the whole, so nothing fails in it that would not fail in the whole. Tests that take one are marked
`sampled`. TEST_PROOFS=whole takes everything; TEST_SEED chooses the share, and is made up if it is not given.
"""

from __future__ import annotations

import math
import os
import random
import shlex
from collections.abc import Iterable
from typing import Final, TypeVar

Case = TypeVar("Case")

_PROOFS: Final = "TEST_PROOFS"
_SEED: Final = "TEST_SEED"
WHOLE: Final = os.environ.get(_PROOFS) == "whole"
_MOST: Final = 10**6
_unmarked: list[str] = []
"""The test that runs, if it is not marked."""


def choose_seed() -> None:
    """Make up a seed for this process and those that it starts, if none is given."""
    os.environ[_SEED] = os.environ.get(_SEED) or str(random.SystemRandom().randrange(_MOST))


def begin(test: str, *, is_marked: bool) -> None:
    """Note which test runs from now on: `make proof` would miss one that takes a share without the mark."""
    _unmarked[:] = [] if is_marked else [test]


def sampled(cases: Iterable[Case], share: float) -> list[Case]:
    """This share of the cases, at least one, in their order; all of them in `make proof`.

    The cases must come in the same order every time: which are taken depends on the seed and on their number alone.
    """
    assert not _unmarked, f"{_unmarked} takes a sample, and is not marked `sampled`."
    every = list(cases)
    if WHOLE or not every:
        return every
    size = max(1, math.ceil(share * len(every)))
    chosen = random.Random(int(os.environ[_SEED])).sample(range(len(every)), size)  # noqa: S311 - it guards nothing
    return [every[number] for number in sorted(chosen)]


def told() -> str:
    """What the proofs go through, for the head of a run."""
    if WHOLE:
        return "proofs: in full"
    seed = os.environ[_SEED]
    return f"proofs: the sample of seed {seed} (again with `make test SEED={seed}`, in full with `make proof`)"


def repeating(test: str) -> str:
    """The command that runs one test again with the same share, or with everything."""
    share = {_PROOFS: os.environ[_PROOFS]} if WHOLE else {_SEED: os.environ[_SEED]}
    values = {**share, "TEST_COMPILED_READS": os.environ.get("TEST_COMPILED_READS")}
    given = [f"{name}={shlex.quote(value)}" for name, value in values.items() if value]
    return " ".join([*given, ".venv/bin/pytest", shlex.quote(test)])


def in_whole(least: float) -> float:
    """How much a proof goes through at least, when it goes through everything; a sample may come to nothing of it."""
    return least if WHOLE else 0
