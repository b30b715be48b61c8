"""The name under which a server tells an application that it is about to stop."""

from __future__ import annotations

from typing import Final

ON_SHUTDOWN: Final = "gateway.on_shutdown"
"""Of an extension in an ASGI scope: a list, to which the application adds what is to be called then."""
