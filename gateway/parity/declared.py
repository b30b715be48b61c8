"""Differences between the ways that are meant, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.parity.outcomes import Path
    from gateway.parity.ways import Made


@dataclass(frozen=True, slots=True)
class Declared:
    """A difference: what it is called, why it is right, and which calls on which way are meant."""

    name: str
    reason: str
    applies: Callable[[Made, str, Sequence[Path]], bool]


DECLARED: Final[tuple[Declared, ...]] = ()


def declared(made: Made, way: str, paths: Sequence[Path]) -> Declared | None:
    """The declaration that a difference falls under."""
    return next((each for each in DECLARED if each.applies(made, way, paths)), None)
