"""The woods' resources; nests are none."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from services.catalogue import Identifier, Policy, ReadModel, Resource, everyone
from tests.support.woods.models import Bird, Egg, Leaf, Tree

OPEN = Policy(read=everyone)


class TreeRead(ReadModel):
    """A tree."""

    id: Annotated[UUID, Identifier("tree")]


class LeafRead(ReadModel):
    """A leaf."""

    id: Annotated[UUID, Identifier("leaf")]


class BirdRead(ReadModel):
    """A bird."""

    id: Annotated[UUID, Identifier("bird")]


class EggRead(ReadModel):
    """An egg."""

    id: Annotated[UUID, Identifier("egg")]


trees = Resource("tree", model=Tree, read=TreeRead, prefix="tree", policy=OPEN)
leaves = Resource("leaf", model=Leaf, read=LeafRead, prefix="leaf", policy=OPEN, plural="leaves")
birds = Resource("bird", model=Bird, read=BirdRead, prefix="bird", policy=OPEN)
eggs = Resource("egg", model=Egg, read=EggRead, prefix="egg", policy=OPEN)
