"""What a piece of work takes: wall seconds, CPU seconds and memory of all processes it starts."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
INTERVAL = 0.1  # seconds between two looks at the tree


class Usage(NamedTuple):
    """Wall and CPU seconds, and the largest sum of proportional set sizes in MB."""

    wall: float
    cpu: float
    memory: float


def of(work: Callable[[], object]) -> Usage:
    """What the children of this process take during the work.

    CPU is what the kernel says of children that were waited for, or the sum last seen of each process if that is more:
    nobody waits for the workers of a fork server.
    """
    seen: dict[int, float] = {}
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(INTERVAL):
            peak[0] = max(peak[0], sum(looked_at(child, seen) for child in psutil.Process().children(recursive=True)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    before, started = cpu_of_children(), time.monotonic()
    try:
        work()
    finally:
        wall = time.monotonic() - started
        ended.set()
        watcher.join()
    return Usage(wall, max(cpu_of_children() - before, sum(seen.values())), peak[0] / 1e6)


def cpu_of_children() -> float:
    """User and system seconds of all children that ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def looked_at(process: psutil.Process, seen: dict[int, float]) -> float:
    """Note the CPU seconds of a process; its share of the memory it uses, in bytes, or 0 if it has just ended."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied, AttributeError):
        seen[process.pid] = sum(process.cpu_times()[:2])
        return float(process.memory_full_info().pss)
    return 0.0


def of_command(command: Sequence[str | Path], log: Path, **environment: str) -> Usage:
    """What a command takes; what it says goes to the log, the end of which is shown if it fails."""
    with log.open("wb") as file:
        done: list[int] = []

        def once() -> None:
            done.append(
                subprocess.run(command, check=False, stdout=file, stderr=file, env=os.environ | environment).returncode
            )

        used = of(once)
    if done != [0]:
        raise RuntimeError(f"{command[0]} exited with {done[0]}; the end of {log}:\n{log.read_text('utf-8')[-2000:]}")
    return used
