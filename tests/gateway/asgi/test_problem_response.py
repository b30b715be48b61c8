import orjson
import pytest

from rest.http.problems import field_path, problem_response
from services.catalogue import problems
from services.catalogue.problems import FieldError, Problem


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("title",), "title"),
        (("filter", "status", "in", 0), "filter.status.in[0]"),
        (("labels", 3, "name"), "labels[3].name"),
        ((0, 1, "id"), "[0][1].id"),
        ((), ""),
    ],
)
def test_field_paths(path: tuple[str | int, ...], written: str) -> None:
    assert field_path(path) == written


def test_body_and_media_type() -> None:
    error = FieldError(("label_ids", 1), "invalid_id", "This is not the id of a label.")
    response = problem_response(Problem(problems.VALIDATION_FAILED, "One field is wrong.", errors=[error]))

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert orjson.loads(response.body) == {
        "type": "/problems/validation_failed",
        "title": "Some input is not valid.",
        "status": 422,
        "code": "validation_failed",
        "detail": "One field is wrong.",
        "errors": [{"field": "label_ids[1]", "code": "invalid_id", "message": "This is not the id of a label."}],
    }


def test_retry_after_is_a_header_and_a_member() -> None:
    response = problem_response(Problem(problems.TOO_MANY_REQUESTS, retry_after=30))

    assert response.headers["retry-after"] == "30"
    assert orjson.loads(response.body)["retry_after"] == 30


@pytest.mark.parametrize(
    ("problem", "challenge"),
    [
        (Problem(problems.UNAUTHENTICATED), 'Bearer realm="gateway"'),
        (Problem(problems.INVALID_CREDENTIALS), 'Bearer realm="gateway"'),
        (Problem(problems.INVALID_TOKEN), 'Bearer realm="gateway", error="invalid_token"'),
        (
            Problem(problems.INSUFFICIENT_SCOPE, scope="items:write"),
            'Bearer realm="gateway", error="insufficient_scope", scope="items:write"',
        ),
        (Problem(problems.FORBIDDEN), None),
        (Problem(problems.NOT_FOUND), None),
    ],
)
def test_challenges_follow_rfc_6750(problem: Problem, challenge: str | None) -> None:
    assert problem_response(problem).headers.get("www-authenticate") == challenge


def test_allow_is_sent_when_the_problem_carries_it() -> None:
    assert problem_response(Problem(problems.METHOD_NOT_ALLOWED, allow="GET, POST")).headers["allow"] == "GET, POST"
    assert "allow" not in problem_response(Problem(problems.NOT_FOUND)).headers
