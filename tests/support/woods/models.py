"""Rows that hang on one another in all the ways that foreign keys have."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, Timestamps

NOWHERE = UUID(int=1)


class Tree(Base):
    """A tree, and those that have grown from its seeds and fall with it."""

    __tablename__ = "woods_trees"

    id: Mapped[Key]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("woods_trees.id", ondelete="CASCADE"), index=True)


class Leaf(Timestamps, Base):
    """A leaf; its version is a random word."""

    __tablename__ = "woods_leaves"

    id: Mapped[Key]
    tree_id: Mapped[UUID | None] = mapped_column(ForeignKey("woods_trees.id", ondelete="SET NULL"))
    home_id: Mapped[UUID] = mapped_column(
        ForeignKey("woods_trees.id", ondelete="SET DEFAULT"), default=NOWHERE, server_default=str(NOWHERE)
    )
    version: Mapped[str] = mapped_column(String(32))

    __mapper_args__ = {
        "eager_defaults": False, "version_id_col": version, "version_id_generator": lambda _: uuid4().hex
    }  # fmt: skip


class Nest(Base):
    """What lies between a tree and its birds, and is no resource."""

    __tablename__ = "woods_nests"

    id: Mapped[Key]
    tree_id: Mapped[UUID] = mapped_column(ForeignKey("woods_trees.id", ondelete="CASCADE"))


class Bird(Base):
    """A bird, which has come from an egg."""

    __tablename__ = "woods_birds"

    id: Mapped[Key]
    nest_id: Mapped[UUID | None] = mapped_column(ForeignKey("woods_nests.id", ondelete="CASCADE"))
    egg_id: Mapped[UUID | None] = mapped_column(
        Uuid(), ForeignKey("woods_eggs.id", ondelete="CASCADE", use_alter=True, name="fk_woods_birds_egg")
    )


class Egg(Base):
    """An egg, which has come from a bird."""

    __tablename__ = "woods_eggs"

    id: Mapped[Key]
    bird_id: Mapped[UUID | None] = mapped_column(ForeignKey("woods_birds.id", ondelete="CASCADE"))
