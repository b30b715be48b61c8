"""A way to a server that can be cut, or fall silent without anybody being told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Link:
    """Carries bytes between a TCP port of its own and a server's unix socket."""

    socket: Path
    port: int = 0
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _is_cut: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def stall(self) -> None:
        """Carry nothing from now on; connections stay open, and new ones are accepted."""
        self._flowing.clear()

    def cut(self) -> None:
        """Break every connection, and every new one."""
        self._is_cut = True
        for each in self._writers:
            each.transport.abort()

    def heal(self) -> None:
        """Carry what comes, and what has waited."""
        self._is_cut = False
        self._flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if not self._is_cut:
                with suppress(OSError):  # the server may be down
                    await self._join(reader, writer)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def close(self) -> None:
        """End what is left."""
        self._flowing.set()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self.socket)
        self._writers.add(inner_writer)
        ways = [self._carry(reader, inner_writer), self._carry(inner_reader, writer)]
        tasks = [asyncio.create_task(each) for each in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            inner_writer.transport.abort()
            self._writers.discard(inner_writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def link_to(socket: Path) -> AsyncIterator[Link]:
    """A link that works, until it is told not to."""
    link = Link(socket)
    link.heal()
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        await link.close()
        await server.wait_closed()
