"""WebSockets as uvicorn speaks them, with an end that their operations can wait for.

When uvicorn stops, it cuts its WebSockets at once (1012). Here the application is asked to close them instead: it lets
operations end, and says that it is going away (1001).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from services.process.shutdown import ON_SHUTDOWN

# uvicorn writes a line at every handshake, with the query string, which may carry a token; the gateway writes its own.
log = logging.getLogger("gateway.serving.sockets")
log.setLevel(logging.WARNING)


class SocketProtocol(WebSocketsSansIOProtocol):
    """For uvicorn's setting `ws`: calls what an application has left in the ASGI extension ON_SHUTDOWN."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = log
        self._on_shutdown: list[Callable[[], None]] = []

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[ON_SHUTDOWN] = self._on_shutdown

    async def send(self, message: Any) -> None:
        """An ASGI message. A handshake that is refused by an answer of HTTP is complete: uvicorn forgets to note it,
        and would log an error."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def shutdown(self) -> None:
        """Uvicorn stops. Where the application does not say what to do, its way."""
        if self.close_sent or not self._on_shutdown:
            super().shutdown()
        for each in self._on_shutdown:
            each()
