"""The README's sessions, run by the letter against a live gateway."""

from __future__ import annotations

import re

from tests.support.readme import README, play

_VARYING = [
    (r"\b([a-z]{3})_[0-9a-f]{32}", r"\1_ID"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r'"next": "[\w-]+"', "NEXT"),
]


def constant(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, replacement in _VARYING:
        text = re.sub(pattern, replacement, text)
    return text


def test_every_answer_in_the_readme_is_what_the_gateway_says(live_server: str) -> None:
    text = README.read_text()
    assert constant(play(text, live_server)) == constant(text)
