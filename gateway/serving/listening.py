"""What becomes of new connections when a port is about to be closed."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import Final

LINGER_SECONDS: Final = 0.5
"""How long, after no more connections are let in, those that were are still served as before. What a client has sent by
then on a connection that seemed idle is in reach, and is answered instead of reset."""

_SO_ATTACH_FILTER: Final = 26  # Python's socket module has no name for it
_PROGRAM: Final = (
    (0x30, 0, 0, 13),  # load the byte of TCP's header that has the flags
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # else let it through
)
"""Classic BPF: operation, where to go on if true and if false, operand (linux/filter.h)."""


def refuse_new(listening: socket.socket | int) -> None:
    """Let no more connections into the queue of a listening socket, for all processes that share it.

    Closing the socket resets whatever is in its queue: connections that clients take for accepted. Where the queue
    grows no more, those who serve can empty it before. Clients that connect meanwhile get no answer; they try again
    after a second, and are refused, or served by whoever listens then. On other systems than Linux nothing happens.
    """
    if sys.platform != "linux":
        return
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in _PROGRAM))
    program = struct.pack("HP", len(_PROGRAM), ctypes.addressof(instructions))
    number = listening if isinstance(listening, int) else listening.fileno()
    # Sandboxes may lack filters: then it is as on other systems.
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as same:
        same.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
