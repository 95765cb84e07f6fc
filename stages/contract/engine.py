"""Where the work runs: one function with the shape of the builtin `map`.

`DATASET_ENGINE` is `serial` or `local` (processes of this machine, `DATASET_WORKERS` of them, one per core by default).
Environment variables, because a param would enter dvc.lock, and where a stage runs never changes what it writes.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from stages.contract.params import stop

T = TypeVar("T")
R = TypeVar("R")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one BLAS thread: sums in one order, whatever the machine
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def workers() -> int:
    """How many processes share the work."""
    return int(os.environ.get("DATASET_WORKERS") or os.cpu_count() or 1)


def map(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`function` of each item, in the items' order; a single item never starts a process."""
    engine = os.environ.get("DATASET_ENGINE", "local")
    if engine not in ("serial", "local"):
        raise stop(f"DATASET_ENGINE: {engine!r} is unknown; set it to serial or local")
    source = iter(items)
    first = list(islice(source, 2))
    items = chain(first, source)
    if engine == "serial" or len(first) < 2 or workers() == 1:
        return (function(item) for item in items)
    return across_processes(function, items)


def across_processes(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The same, with at most a few items under way per process, so that memory does not grow with the input."""
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    waiting: deque[Future[R]] = deque()
    with ProcessPoolExecutor(workers(), multiprocessing.get_context(method)) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
