"""What a write shows of its result is the same on both paths, and costs as many statements whatever is selected."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import shake_128
from typing import Any, Final

from graphql_schema.schema.naming import root_field_name
from services.catalogue import Operation
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from services.queries.versions import LENGTH
from tests.services.reader.conftest import Pair
from tests.support.asgi import graphql, observed
from tests.support.generated.choices import SIZE, Choices
from tests.support.generated.documents import Document
from tests.support.generated.writes import AGAIN, WRITES, writes

TIMES: Final = 6
"""Selections of each operation."""
_IDENTIFIER: Final = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
_INSTANT: Final = re.compile(r"\b20(2[1-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_CURSOR: Final = re.compile(r'"[A-Za-z0-9_-]{30,}"')
_TAG: Final = re.compile(rf'"[A-Za-z0-9_-]{{{LENGTH}}}"')


async def test_results_of_writes_are_alike_on_both_paths(twins: Pair) -> None:
    compiled, asked = 0, 0
    for operation in writes(twins.gateway.catalogue):
        for time in range(TIMES):
            body = _generated(twins, operation, time)
            headers = twins.village.caller(WRITES[operation.name].caller).headers
            with observed() as seen:
                one = (await graphql(twins.compiled.app, body, headers)).json()
                other = (await graphql(twins.reference.app, body, headers)).json()
            asked += 1
            compiled += seen[0].path == "compiled"
            assert seen[1].path == "general"
            assert _normal(one) == _normal(other), f"{operation.name}\n{json.dumps(body)}"
    assert compiled >= 0.6 * asked, (compiled, asked)


async def test_write_costs_as_many_statements_whatever_is_selected(twins: Pair) -> None:
    for operation in writes(twins.gateway.catalogue):
        counts = {}
        for time, selected in enumerate(_selections(operation)):
            body = _mutation(operation, AGAIN + time, f"{{ {selected} }}", {})
            counts[selected] = await _statements(twins, operation, body)
        assert len(set(counts.values())) == 1, (operation.name, counts)


async def _statements(twins: Pair, operation: Operation, body: dict[str, Any]) -> int:
    written = WRITES[operation.name]
    headers = twins.village.caller(written.caller).headers
    # The caller is known from here on.
    await graphql(twins.compiled.app, {"query": "{ me { id } }"}, headers)
    if written.after is not None:
        name, more = written.after
        first = twins.gateway.catalogue.operations[name]
        prepared = _mutation(first, 0, "{ id }", {})
        prepared["variables"] = {"input": {**_shared(first, body["variables"]["input"]), **more}}
        await graphql(twins.compiled.app, prepared, headers)
    with observed() as seen:
        reply = (await graphql(twins.compiled.app, body, headers)).json()
    assert "errors" not in reply, (operation.name, body, reply)
    return seen[0].statements


def _shared(operation: Operation, given: dict[str, Any]) -> dict[str, Any]:
    """The part of another operation's input that this one takes too."""
    names = {"id", *(camel(name) for name in (operation.input.model_fields if operation.input else ()))}
    return {name: value for name, value in given.items() if name in names}


def _generated(twins: Pair, operation: Operation, time: int) -> dict[str, Any]:
    """A mutation that shows something of its result."""
    source = shake_128(f"{operation.name} {time}".encode()).digest(SIZE)
    document = Document(twins.schema, twins.material, Choices(source))
    selected = document.selection(_result_type(twins, operation), 0 if operation.scope is None else 2)
    body = _mutation(operation, time, selected.text, selected.variables, selected.definitions)
    return {**body, "query": f"{body['query']} {selected.fragments}"}


def _result_type(twins: Pair, operation: Operation) -> Any:
    return twins.schema.get_type(pascal(_result(operation).name))


def _result(operation: Operation) -> Resource[Any]:
    assert isinstance(operation.result, Resource)
    return operation.result


def _mutation(
    operation: Operation, time: int, selected: str, variables: dict[str, Any], definitions: str = ""
) -> dict[str, Any]:
    name, result = root_field_name(operation), camel(_result(operation).name)
    head = f"mutation($input: {pascal(operation.name)}Input!{definitions})"
    given = {"input": WRITES[operation.name].input(time), **variables}
    return {"query": f"{head} {{ {name}(input: $input) {{ {result} {selected} }} }}", "variables": given}


def _selections(operation: Operation) -> Iterator[str]:
    result = _result(operation)
    yield "id"
    yield " ".join(camel(name) for name in result.fields)
    if operation.scope is None:
        return
    for name, relation in result.relations.items():
        yield f"{camel(name)} {{ {'totalCount nodes { id }' if relation.many else 'id'} }}"


def _normal(body: Any) -> str:
    """Without what must differ: what is new has an identifier and an instant of its own in each database.

    So the versions of what is changed differ, too.
    """
    for error in body.get("errors", ()):
        error["extensions"].pop("request_id", None)
    text = json.dumps(body)
    known: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        found = match[0]
        return found if int(found[-32:][12], 16) != 7 else known.setdefault(found, f"new {len(known)}")

    return _INSTANT.sub("then", _TAG.sub('"tag"', _CURSOR.sub('"cursor"', _IDENTIFIER.sub(named, text))))
