"""The application: `uvicorn benchmarks.peers.fastapi_strawberry.app:app`."""

from __future__ import annotations

from fastapi import FastAPI

from benchmarks.peers.fastapi_strawberry import rest, schema

app = FastAPI()
app.include_router(schema.router, prefix="/graphql")
app.include_router(rest.router)
