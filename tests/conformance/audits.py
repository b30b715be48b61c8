"""Programs of others that judge the gateway: each is one entry of AUDITS.

Those from npm are fetched by `make conformance-tools`; without Node.js or without them they are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tests.conformance.contract import tried
from tests.conformance.linters import DOCUMENT, SCHEMA, graphql_eslint, redocly
from tests.conformance.programs import HERE, printed


@dataclass(frozen=True)
class Target:
    """What is judged: the address of a gateway with demo data, and an access token of its demo user."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Verdict:
    """How many checks there were, and a sentence for each that failed."""

    checks: int
    faults: Sequence[str] = ()

    @classmethod
    def of_checks(cls, checks: Sequence[dict[str, Any]]) -> Verdict:
        """From objects with a `name` and a `fault`, null where the check passed."""
        return cls(len(checks), [f"{each['name']}: {each['fault']}" for each in checks if each["fault"]])


Check: TypeAlias = Callable[[Target], Awaitable[Verdict]]


@dataclass(frozen=True)
class Audit:
    """A judge by its name; `package` is what it needs from npm, None for nothing."""

    name: str
    judge: Check
    package: str | None = None

    def missing(self) -> str | None:
        """Why it cannot be asked here; None where it can."""
        if self.package is None:
            return None
        if shutil.which("node") is None:
            return "Node.js is not installed"
        if not (HERE / "node_modules" / self.package).is_dir():
            return f"{self.package} is not fetched: make conformance-tools"
        return None


async def node(script: str, *arguments: str) -> Any:
    """What a script of this folder prints, which is JSON. Raises RuntimeError where it fails."""
    return await printed("node", HERE / script, *arguments)


async def _graphql_http(target: Target) -> Verdict:
    return Verdict.of_checks(await node("graphql_http.mjs", f"{target.url}/graphql"))


async def _graphql_ws(target: Target) -> Verdict:
    url = f"{target.url.replace('http', 'ws', 1)}/graphql"
    return Verdict.of_checks(await node("graphql_ws.mjs", url, target.token))


async def _graphql_sse(target: Target) -> Verdict:
    return Verdict.of_checks(await node("graphql_sse.mjs", f"{target.url}/graphql", target.token))


async def _graphql_eslint(target: Target) -> Verdict:
    return Verdict(1, [f"{rule}: {words}" for rule, words in await graphql_eslint(SCHEMA)])


async def _redocly(target: Target) -> Verdict:
    return Verdict(1, [f"{rule}: {words}" for rule, words in await redocly(DOCUMENT)])


async def _schemathesis(target: Target) -> Verdict:
    return Verdict(*await tried(target.url))


AUDITS: Final = (
    Audit("graphql-http serverAudits", _graphql_http, "graphql-http"),
    Audit("graphql-ws client", _graphql_ws, "graphql-ws"),
    Audit("graphql-sse client", _graphql_sse, "graphql-sse"),
    Audit("graphql-eslint, all presets", _graphql_eslint, "@graphql-eslint/eslint-plugin"),
    Audit("redocly, recommended-strict", _redocly, "@redocly/cli"),
    Audit("schemathesis, all checks", _schemathesis),
)
