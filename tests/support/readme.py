"""Runs the sessions of README.md and puts their output in: `python -m tests.support.readme URL` rewrites the file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
_MARK = "\x1e"


def sessions(text: str) -> list[list[str]]:
    """The commands of every block, continuation lines joined."""
    return [_commands(block) for block in _BLOCK.findall(text)]


def _commands(block: str) -> list[str]:
    found: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(line[2:])
        elif line.startswith("> "):
            found[-1] += "\n" + line[2:]
    return found


def play(text: str, url: str) -> str:
    """The text with the output of every command as it is now, all run in one shell against the gateway at `url`."""
    commands = [each for session in sessions(text) for each in session]
    script = "".join(f"{each}\nprintf '{_MARK}'\n" for each in commands).replace("http://127.0.0.1:8000", url)
    bash = ["/bin/bash", "-c", script]
    outputs = iter(subprocess.run(bash, capture_output=True, text=True, check=True).stdout.split(_MARK))

    def block(_: re.Match[str]) -> str:
        return "".join(f"{_shown(each)}\n{next(outputs)}" for each in _commands(_[0]))

    return _BLOCK.sub(block, text)


def _shown(command: str) -> str:
    first, *rest = command.split("\n")
    return "\n".join([f"$ {first}", *(f"> {line}" for line in rest)])


if __name__ == "__main__":
    README.write_text(play(README.read_text(), sys.argv[1]))
