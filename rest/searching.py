"""Searches with a JSON body: the parameters of a list's query string as one object.

`QUERY /items` (RFC 10008), and `POST /items/search` for clients that cannot send QUERY. The body is translated into
query parameters, which rest/query.py parses.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from rest.http.negotiation import JSON
from rest.query import Parameters
from services.catalogue import Problem
from services.catalogue.json_input import read_json
from services.catalogue.models import problem_of
from services.catalogue.scalars import coerce_integer

ACCEPT_QUERY: Final = JSON
"""The value of `Accept-Query` (RFC 10008, section 3: a list of media ranges, here one token)."""
MAX_ENTRIES: Final = 200
"""The longest list in a search."""


def _one_name(value: str) -> str:
    if "," in value or not value:  # in a query string these would be two
        raise PydanticCustomError("name", "This must be one name.")
    return value


Number = Annotated[int, BeforeValidator(coerce_integer)]
Names = Annotated[list[Annotated[str, AfterValidator(_one_name)]], Field(max_length=MAX_ENTRIES)]


class Search(BaseModel):
    """What a search may hold. What the values mean is the grammar's to judge."""

    model_config = ConfigDict(extra="forbid", strict=True)

    limit: Number | None = None
    after: str | None = None
    before: str | None = None
    skip: Number | None = None
    sort: Names | None = None
    filter: dict[str, Any] | None = None
    q: str | None = None
    count: bool | None = None
    fields: Names | None = None
    include: Names | None = None


def parse_search(body: bytes) -> Parameters:
    """Return a search's query parameters, without nulls and empty lists. Raises `bad_request`, `validation_failed`."""
    try:
        given = Search.model_validate(read_json(body or b"{}")).model_dump(exclude_none=True)
        found = {name: _values(value) for name, value in given.items()}
    except ValidationError as error:
        raise problem_of(error) from None
    except TypeError:  # objects within objects, beyond what orjson writes
        raise Problem.field("filter", "length", "This is nested too deeply.") from None
    return {name: values for name, values in found.items() if values}


def _values(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value if isinstance(value, str) else orjson.dumps(value).decode()]
