"""What processes cost: CPU time of whole trees in nanoseconds, and resident memory."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

import psutil

_PROCESS_CLOCK: Final = 2
"""CPUCLOCK_SCHED of Linux: what the scheduler gave to a process, its ended threads included."""


def cpu_seconds(root: psutil.Process) -> float:
    """The CPU time that a process and all below it have used so far, those that have ended included."""
    while True:
        before = _tree(root)
        seconds = sum(_of_process(process) for process in before)
        # One that ended meanwhile may have been counted twice, in its own name and in its parent's, or not at all.
        if _tree(root) == before:
            return seconds


def busy_seconds() -> float:
    """The CPU time that everybody has used or taken on this machine so far, this process not counted."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return sum(times[:8]) - idle - time.process_time()


def resident_bytes(root: psutil.Process) -> int:
    """The memory that a process and all below it hold, what they share counted once for each."""
    total = 0
    for process in _tree(root):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def _tree(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


def _of_process(process: psutil.Process) -> float:
    """Its own time, to the nanosecond, and that of the children it has outlived, to a hundredth of a second."""
    try:
        times = process.cpu_times()
        # clock_getcpuclockid(3), which Python has for threads alone.
        own = time.clock_gettime(~process.pid << 3 | _PROCESS_CLOCK)
    except (OSError, psutil.NoSuchProcess):
        return 0.0  # it has ended since: its parent's count has it now
    return own + times.children_user + times.children_system
