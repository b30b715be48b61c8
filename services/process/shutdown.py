"""Names in an ASGI scope by which the server announces its shutdown to the application."""

from __future__ import annotations

from typing import Final

ON_SHUTDOWN: Final = "gateway.on_shutdown"
"""Extension in the scope: a list to which the application adds callbacks for the shutdown."""

STOPPING: Final = "gateway.stopping"
"""Member of the scope's `state`: true once the server has been asked to stop. New requests are still answered."""
