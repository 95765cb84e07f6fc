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

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one BLAS thread: sums in one order


def workers() -> int:
    """How many processes share the work."""
    given = os.environ.get("DATASET_WORKERS") or str(os.cpu_count() or 1)
    if not given.isdecimal() or int(given) < 1:
        raise stop(f"DATASET_WORKERS: {given!r} is not a number of processes; set it to 1 or more")
    return int(given)


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
