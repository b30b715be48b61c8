"""What the tests of shared behaviour start from."""

from __future__ import annotations

import httpx
import pytest

from tests.support.faces import Face
from tests.support.factories import Team, make_team


@pytest.fixture
async def team(client: httpx.AsyncClient, face: Face) -> Team:
    """A workspace with an owner, an editor and a viewer, and an outsider."""
    return await make_team(client, face)
