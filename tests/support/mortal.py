"""A gateway that dies when it is told to: `python -m tests.support.mortal PORT`.

One process listens and makes the application. Another, its copy, serves, by uvicorn as `gateway serve` has it, and is
killed (SIGKILL, by itself, so that it is at a certain point) where a request with the header `X-Die` says: `before` its
transaction is committed, right after the `commit`, or when the `answer` is about to be sent. The next copy takes over
the port, with nothing in its memory of what was before.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from contextvars import ContextVar

import uvicorn
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.app import create_app

_END: ContextVar[str] = ContextVar("end", default="")


def die_at(point: str) -> None:
    """End this process at once if the request is one that shall not get beyond this point."""
    if _END.get() == point:
        os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """The application, with an end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _END.set(dict(scope["headers"]).get(b"x-die", b"").decode())

        async def mortal_send(message: Message) -> None:
            die_at("answer")
            await send(message)

        await self.app(scope, receive, mortal_send)


_commit = AsyncSession.commit


async def mortal_commit(session: AsyncSession) -> None:
    """Commit, and live to tell the tale or not."""
    die_at("before")
    await _commit(session)
    die_at("commit")


def serve(app: ASGIApp, listening: socket.socket, parent: int) -> None:
    """Serve until killed, or until there is nobody at the other end of the pipe `parent`."""

    def orphaned() -> None:
        os.read(parent, 1)
        os._exit(0)

    threading.Thread(target=orphaned, daemon=True).start()
    config = uvicorn.Config(app, log_config=None, access_log=False, loop="uvloop", http="httptools")
    uvicorn.Server(config).run(sockets=[listening])


def main() -> None:
    """Listen, and see to it that somebody serves."""
    app = Mortal(create_app())
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    reading, writing = os.pipe()
    # What is there already is not looked at again in each copy, nor copied for that.
    gc.collect()
    gc.freeze()
    while True:
        child = os.fork()
        if child == 0:
            os.close(writing)
            serve(app, listening, reading)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        if os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"the server ended by itself: {status}")


if __name__ == "__main__":
    AsyncSession.commit = mortal_commit  # type: ignore[method-assign,assignment]
    main()
