"""The names under which a server tells an application that it is about to stop."""

from __future__ import annotations

from typing import Final

ON_SHUTDOWN: Final = "gateway.on_shutdown"
"""Of an extension in an ASGI scope: a list, to which the application adds what is to be called then."""

STOPPING: Final = "gateway.stopping"
"""Of a member of an ASGI scope's `state`: true from when the server has been asked to stop, and new requests should go
elsewhere, though they are answered."""
