"""Whether all servers say the same, before anybody measures how fast they say it."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks import data
from benchmarks.cases import CASES, WRITING, Sample, told
from benchmarks.contestants import Running


class DifferentAnswersError(Exception):
    """Two servers were asked the same and did not say the same."""


def check_equal(servers: Sequence[Running], cases: Sequence[str], sample: Sample) -> dict[str, int]:
    """Compare what the answers tell, case by case. Return how many things each tells.

    Those with policies are asked by the actor; one of them is asked as somebody who sees everything too, for comparison
    with those that have none. Raises DifferentAnswersError.
    """
    sizes = {}
    open_ones = [each for each in servers if not each.kind.has_policies]
    closed_ones = [each for each in servers if each.kind.has_policies]
    for case in CASES:
        if case in cases and case not in WRITING:
            answers = [_answer(each, case, sample, each.headers) for each in closed_ones]
            _compare(case, closed_ones, answers)
            sizes[case] = max((answer.total() for answer in answers if answer is not None), default=0)
            everything = [
                _answer(each, case, sample, each.kind.sign_in(each.port, sample, data.EVERYWHERE))
                for each in closed_ones[:1]
            ]
            everything += [_answer(each, case, sample, each.headers) for each in open_ones]
            _compare(case, [*closed_ones[:1], *open_ones], everything)
    return sizes


def _compare(case: str, servers: Sequence[Running], answers: Sequence[Counter[tuple[str, str]] | None]) -> None:
    known = [(server, answer) for server, answer in zip(servers, answers, strict=True) if answer is not None]
    for server, answer in known[1:]:
        first, expected = known[0]
        if answer != expected or not answer:
            raise DifferentAnswersError(
                f"`{case}`: {server.kind.title} tells {answer.total()} things, {first.kind.title} {expected.total()};"
                f" missing {list((expected - answer).items())[:3]}, additional {list((answer - expected).items())[:3]}"
            )


def _answer(server: Running, case: str, sample: Sample, headers: dict[str, str]) -> Counter[tuple[str, str]] | None:
    if case not in server.kind.dialect.cases:
        return None
    answer = _send(server.port, server.kind.dialect.requests(case, sample, headers)[0])
    if "errors" in answer:
        raise DifferentAnswersError(f"`{case}`: {server.kind.title} answers {answer['errors']}")
    return told(answer)


def _send(port: int, raw: bytes) -> Any:
    """The answer to a request made for the wire."""
    head, _, body = raw.partition(b"\r\n\r\n")
    (method, path, _), *lines = (line.split(" ", 2) for line in head.decode().split("\r\n"))
    fields = {name.rstrip(":"): value for name, value in (" ".join(line).split(": ", 1) for line in lines)}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body or None, fields, method=method)
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - http, as it says
        return json.load(answer)
