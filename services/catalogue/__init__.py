"""The vocabulary for declaring a back end. It is independent of HTTP, GraphQL and storage."""

from services.catalogue.actors import ANONYMOUS, OPERATOR, Actor, Client
from services.catalogue.calls import Call
from services.catalogue.catalogue import Catalogue, HandWritten
from services.catalogue.declaration import DeclarationError
from services.catalogue.deprecation import Deprecation
from services.catalogue.identifiers import Identifier, new_key
from services.catalogue.models import InputModel, ReadModel, ResultModel, absent
from services.catalogue.operations import Kind, Operation
from services.catalogue.policies import (
    ACTOR_ID,
    ACTOR_WORKSPACE_ID,
    IN_PERSON,
    UNBOUND,
    Policy,
    everyone,
    needs,
    nobody,
    signed_in,
)
from services.catalogue.presets import DeclaredResource as Resource
from services.catalogue.presets import procedure
from services.catalogue.problems import Problem
from services.catalogue.resources import Relation, many, one
from services.catalogue.scalars import Instant, Int32
