"""Where the work runs: one function with the shape of the builtin `map`.

`DATASET_ENGINE` is `serial`, `local` (processes of this machine, `DATASET_WORKERS` of them, one per core by default) or
`dask` (the cluster at `DASK_SCHEDULER_ADDRESS`, see docs/beyond-one-machine.md).
Environment variables, because a param would enter dvc.lock, and where a stage runs never changes what it writes.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from stages.contract.params import stop

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P")

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one BLAS thread: sums in one order


def workers() -> int:
    """How many processes share the work."""
    given = os.environ.get("DATASET_WORKERS") or str(os.cpu_count() or 1)
    if not given.isdecimal() or int(given) < 1:
        raise stop(f"DATASET_WORKERS: {given!r} is not a number of processes; set it to 1 or more")
    return int(given)


def name() -> str:
    """Which engine is chosen."""
    given = os.environ.get("DATASET_ENGINE", "local")
    if given not in ("serial", "local", "dask"):
        raise stop(f"DATASET_ENGINE: {given!r} is unknown; set it to serial, local or dask")
    return given


def map(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`function` of each item, in the items' order; a single item never starts a process."""
    engine = name()
    source = iter(items)
    first = list(islice(source, 2))
    if engine == "serial" or len(first) < 2 or (engine == "local" and workers() == 1):
        return (function(item) for item in chain(first, source))
    if engine == "dask":
        from stages.contract import cluster

        return cluster.map(function, chain(first, source))
    return across_processes(function, items if isinstance(items, list) else chain(first, source))


inherited: list[Any] = []
"""In a worker: the function, and the items if they were a list. A fork gets them for nothing, where sending costs."""


def inherit(function: Callable[[T], R], items: list[T] | None) -> None:
    """Keep what the worker was started with."""
    inherited[:] = (function, items)


def result_at(place: int) -> Any:
    """The function of the item at a place of the list."""
    function, items = inherited
    return function(items[place])


def result_of(item: Any) -> Any:
    """The function of an item that was sent."""
    return inherited[0](item)


def shuffle(
    split: Callable[[T], Sequence[P]], merge: Callable[[list[P]], R], items: Sequence[T], parts: int
) -> Iterator[R]:
    """`merge` of the first part that `split` makes of each item, then of the second, and so on, `parts` in all.

    For the cluster, where what is split lies on many machines; a single item is done here.
    """
    if name() != "dask" or len(items) < 2:
        pieces = [split(item) for item in items]
        return (merge([each[part] for each in pieces]) for part in range(parts))
    from stages.contract import cluster

    return cluster.shuffle(split, merge, items, parts)


def across_processes(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The same, with at most a few items under way per process, so that memory does not grow with the input."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    known = items if isinstance(items, list) else None
    waiting: deque[Future[R]] = deque()
    work: Callable[[Any], R] = result_of if known is None else result_at
    with ProcessPoolExecutor(workers(), multiprocessing.get_context(method), inherit, (function, known)) as pool:
        for item in items if known is None else range(len(known)):
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
