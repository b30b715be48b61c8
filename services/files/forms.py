"""Forms with files (RFC 7578), read as they come in: nothing of a file is held longer than it takes to pass it on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from services.catalogue import Problem
from services.catalogue.problems import BAD_REQUEST, UPLOAD_STALLED
from services.files.uploads import InterruptedUploadError

FORM: Final = "multipart/form-data"
MAX_FIELDS: Final = 20
MAX_FIELD_BYTES: Final = 4_096
MAX_HEADER_BYTES: Final = 4_096
MAX_AROUND_BYTES: Final = 65_536
"""Of a form, that are in no part: what is before, between and around them, and their headers."""


@dataclass
class Part:
    """One part of a form: what its header says. A part with a file name is a file."""

    name: str = ""
    filename: str | None = None
    media_type: str = ""


_PLAIN: Final = (b"7bit", b"8bit", b"binary")
"""Transfer encodings that encode nothing."""
_WRITTEN: Final = ((b"%22", b'"'), (b"%0D", b"\r"), (b"%0A", b"\n"))
"""What browsers write instead of characters in names (WHATWG HTML, multipart form data); they leave `%` as it is."""

Event = tuple[Part, bytes | None]
"""A part, and some of its bytes; None at its end."""


async def interruptible(body: AsyncIterator[bytes], gone: type[Exception]) -> AsyncIterator[bytes]:
    """The body of a request, part by part. Raises InterruptedUploadError for `gone`: the caller has left."""
    try:
        async for part in body:
            if part:
                yield part
    except gone:
        raise InterruptedUploadError from None


@asynccontextmanager
async def before_the_file(idle_seconds: float) -> AsyncIterator[None]:
    """All that comes before the file must come in the time that an upload may send nothing. Raises `upload_stalled`."""
    try:
        async with asyncio.timeout(idle_seconds):
            yield
    except TimeoutError:
        raise Problem(UPLOAD_STALLED) from None


def boundary_of(content_type: str) -> bytes:
    """Raises `bad_request` where there is none."""
    kind, options = parse_options_header(content_type)
    found = options.get(b"boundary", b"")
    if kind.decode("latin-1").lower() != FORM or not 0 < len(found) <= 70:
        raise Problem(BAD_REQUEST, "The form has no boundary.")
    return found


async def form_events(body: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[Event]:
    """The parts of a form, piece by piece. Raises `bad_request` for what is no form, or one without an end.

    However long its parts are, what is around them is bounded: the parser would skip empty lines and blanks for ever.
    """
    reader, read = _Reader(), 0
    callbacks: Any = reader.callbacks()  # a TypedDict of them
    parser = MultipartParser(boundary, callbacks, max_header_size=MAX_HEADER_BYTES)
    try:
        async for data in body:
            parser.write(data)
            read += len(data)
            while reader.events:
                yield reader.events.popleft()
            if reader.ended:  # what comes behind is nothing to wait for
                return
            if read - reader.taken > MAX_AROUND_BYTES:
                raise Problem(BAD_REQUEST, f"A form may have at most {MAX_AROUND_BYTES:,} bytes around its parts.")
        parser.finalize()
    except FormParserError:
        raise Problem(BAD_REQUEST, "The body is not a well-formed form.") from None
    if not reader.ended:
        raise Problem(BAD_REQUEST, "The form has no end.")


@dataclass
class _Reader:
    """Collects what the parser finds in one piece of the body."""

    events: deque[Event] = field(default_factory=deque)
    ended: bool = False
    taken: int = 0
    """Bytes of parts."""
    _part: Part = field(default_factory=Part)
    _parts: int = 0
    _header: bytes = b""
    _value: bytes = b""

    def callbacks(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in dir(self) if name.startswith("on_")}

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise Problem(BAD_REQUEST, f"A form may have at most {MAX_FIELDS} parts.")
        self._part = Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        name, value = self._header.lower(), self._value
        self._header = self._value = b""
        if name == b"content-disposition":
            _, options = parse_options_header(value)
            filename = options.get(b"filename")
            self._part.name = _name(options.get(b"name", b""))
            self._part.filename = None if filename is None else _name(filename)
        elif name == b"content-type":
            self._part.media_type = parse_options_header(value)[0].decode("latin-1").lower()
        elif name == b"content-transfer-encoding" and value.strip().lower() not in _PLAIN:
            # RFC 7578, 4.7: senders should not use it, and nobody does.
            raise Problem(BAD_REQUEST, "The parts of a form are sent as they are, without Content-Transfer-Encoding.")

    def on_headers_finished(self) -> None:
        if not self._part.name:
            raise Problem(BAD_REQUEST, "Each part of a form must have a name, in Content-Disposition.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.taken += end - start
        self.events.append((self._part, data[start:end]))

    def on_part_end(self) -> None:
        self.events.append((self._part, None))

    def on_end(self) -> None:
        self.ended = True


def _name(written: bytes) -> str:
    for instead, character in _WRITTEN:
        written = written.replace(instead, character)
    return written.decode("utf-8", "replace")


async def last_part(events: AsyncIterator[Event], name: str, first: bytes | None) -> AsyncIterator[bytes]:
    """The bytes of the file, which is the last part; `first` of them have come (None: there are none).

    Raises `bad_request` where something else follows.
    """
    ended = first is None
    if first:
        yield first
    async for part, data in events:
        if ended or part.name != name:
            raise Problem(BAD_REQUEST, "The file must be the last part of the form.")
        ended = data is None
        if data:
            yield data
