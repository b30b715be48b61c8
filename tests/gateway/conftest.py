"""A Redis of a test's own, to stop, to cut off and to count on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.embedded.valkey import Valkey, valkey_binary


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A server of the test's own, started; its socket's path has to be short."""
    folder = Path(tempfile.mkdtemp(prefix="hg-vk-"))
    server = Valkey(valkey_binary(), folder / "data", folder / "s", durable=True)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)
