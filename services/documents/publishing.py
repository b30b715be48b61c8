"""Published documents: how the REST face asks for a trusted document to be run, without knowing GraphQL.

The gateway hands the REST face a `DocumentRunner`, which the GraphQL face provides. What goes over the seam is plain:
parameters and variables one way, JSON and Problems the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from services.catalogue import Client
from services.documents.trusted import Trusted
from services.engine.gateway import Gateway
from services.identity.auth.authentication import Presented


class ParameterKind(StrEnum):
    """How the text of a query parameter is read."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variable of a document as a query parameter. `schema` is the JSON Schema of one value, `many` says whether
    there may be several, `type` is the variable's type as the document has it, `default` its value if it is left out.
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
    """What callers of a published document need to know: its parameters, the scopes that the operations it calls need
    (None: it is open to everybody), and the JSON Schema of its answer.
    """

    name: str
    description: str
    parameters: Sequence[Parameter]
    scopes: Sequence[str] | None
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentCaller:
    """Who asks for a document to be run, and what is behind the faces. `dry`: only its price is asked."""

    gateway: Gateway
    presented: Presented
    client: Client
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of it: the document's data (its price, if only that was asked) or, if anything went wrong, the members
    of a problem (RFC 9457).
    """

    data: Mapping[str, Any] | None
    problem: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class UnfitDocumentError(Exception):
    """A document that cannot be published: the sentences say why."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__(" ".join(sentences))


class DocumentRunner(Protocol):
    """Describes and runs trusted documents."""

    def describe(self, document: Trusted) -> PublishedDocument:
        """What its callers need to know. Raises UnfitDocumentError when the schema has moved away from it."""
        ...

    async def run(self, document: Trusted, variables: Mapping[str, Any], caller: DocumentCaller) -> Ran:
        """Run it: the same credentials, policies and plans as over GraphQL.

        Raises `validation_failed` naming the variable at fault, and what keeps it from being run at all.
        """
        ...
