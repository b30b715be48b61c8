"""The engine, and a session for each unit of work."""

from __future__ import annotations

import os

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=20)
sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
