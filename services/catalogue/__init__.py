"""The vocabulary in which a back end is declared. Knows neither HTTP nor GraphQL, and no storage."""

from services.catalogue.actors import ANONYMOUS, OPERATOR, Actor, Client
from services.catalogue.calls import Call
from services.catalogue.catalogue import Catalogue, Seam
from services.catalogue.declaration import DeclarationError
from services.catalogue.deprecation import Deprecation
from services.catalogue.identifiers import Identifier, new_key
from services.catalogue.lists import ListArguments, Page, Record
from services.catalogue.models import InputModel, ReadModel, ResultModel, absent
from services.catalogue.operations import Kind, Operation, procedure
from services.catalogue.policies import (
    ACTOR_ID,
    ACTOR_SESSION_ID,
    ACTOR_WORKSPACE_ID,
    IN_PERSON,
    UNBOUND,
    Policy,
    everyone,
    needs,
    nobody,
    signed_in,
)
from services.catalogue.problems import Problem
from services.catalogue.relations import Relation, many, one
from services.catalogue.resources import Resource
from services.catalogue.scalars import Instant, Int32
from services.catalogue.selections import Query, Selection

__all__ = [
    "ACTOR_ID",
    "ACTOR_SESSION_ID",
    "ACTOR_WORKSPACE_ID",
    "ANONYMOUS",
    "IN_PERSON",
    "OPERATOR",
    "UNBOUND",
    "Actor",
    "Call",
    "Catalogue",
    "Client",
    "DeclarationError",
    "Deprecation",
    "Identifier",
    "InputModel",
    "Instant",
    "Int32",
    "Kind",
    "ListArguments",
    "Operation",
    "Page",
    "Policy",
    "Problem",
    "Query",
    "ReadModel",
    "Record",
    "Relation",
    "Resource",
    "ResultModel",
    "Seam",
    "Selection",
    "absent",
    "everyone",
    "many",
    "needs",
    "new_key",
    "nobody",
    "one",
    "procedure",
    "signed_in",
]
