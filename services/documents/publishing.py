"""Published documents: the interface by which the REST face executes trusted documents without knowing GraphQL.

The gateway hands the REST face a `DocumentRunner`, which the GraphQL face implements. It takes variables, and returns
JSON or raises Problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from services.catalogue import Client
from services.engine.gateway import Gateway
from services.identity.auth.authentication import Credentials


class ParameterKind(StrEnum):
    """How a query parameter is parsed."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variable of a document as a query parameter.

    `type` is the variable's GraphQL type, `schema` the JSON Schema of one value, `many` whether the parameter may be
    repeated, and `default` the value if it is left out.
    """

    name: str
    kind: ParameterKind
    type: str
    schema: Mapping[str, Any]
    many: bool = False
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """The interface of a published document.

    `scopes` are required by the operations it calls (None if it is open to anonymous callers); `answer` is the JSON
    Schema of its answer.
    """

    name: str
    description: str
    parameters: Sequence[Parameter]
    scopes: Sequence[str] | None
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentCaller:
    """The caller of a document. With `dry` only the price is computed."""

    gateway: Gateway
    presented: Credentials
    client: Client
    dry: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """The outcome: the document's data (its price, for a dry run) or the members of a problem (RFC 9457)."""

    data: Mapping[str, Any] | None
    problem: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class UnpublishableDocumentError(Exception):
    """A document cannot be published; `sentences` are the reasons."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__(" ".join(sentences))


class DocumentRunner(Protocol):
    """Describes and executes trusted documents, given by their text."""

    def describe(self, text: str) -> PublishedDocument:
        """Return the document's interface. Raise UnpublishableDocumentError if it no longer fits the schema."""

    async def run(self, text: str, variables: Mapping[str, Any], caller: DocumentCaller) -> RunResult:
        """Execute a document with the same credentials, policies and plans as over GraphQL.

        Raise `validation_failed` for an invalid variable, and the Problems of requests that are not executed at all.
        """
