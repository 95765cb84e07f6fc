"""`engine.map` on a Dask cluster: the scheduler that DASK_SCHEDULER_ADDRESS names, and whatever workers it has.

A worker gets the function by its name, the params and one item. Files do not travel inside: an item that names one becomes
the file's digest and its place, in the project's folder if the workers share it, else below DATASET_STORAGE. So a worker
that sees another file than the driver stops instead of using it. Rows that `collect` has not redacted yet travel in the
task, and are neither stored nor logged. The results come back to the driver, which alone writes.
"""

import hashlib
import logging
import os
import pickle
import platform
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distributions
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import msgspec
from msgspec import Struct

from stages.contract import params, paths
from stages.contract.params import Stop, stop

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P")

REPOSITORY = Path(__file__).parents[2]
LOOK = 5  # seconds between two looks whether there is a worker at all
ONE_BY_ONE = {"threads": "1", "BLAS threads": "1"}
"""What a worker must be besides the driver's equal: sums in one order, and one task at a time in a process."""
BLAS = os.environ.get("OPENBLAS_NUM_THREADS", "several") if "numpy" in sys.modules else "1"
"""numpy reads the variable when it is imported, and a worker imports it before anything of this project."""
CHEAP = "split-shuffle"
"""Dask takes tasks of this name to last a microsecond, and does them where the data is instead of moving all of it."""
GUIDE = "docs/beyond-one-machine.md"


class File(Struct, frozen=True):
    """A file that a task reads: its place below the project's folder or as an fsspec address, and its SHA-256."""

    place: str
    digest: str

    def read_bytes(self) -> bytes:
        """The content; a stop if it is not what the driver has."""
        content = fetched(self.place)
        if content is None or hashlib.sha256(content).hexdigest() != self.digest:
            problem = "is not there" if content is None else "is another file here than on the driver"
            raise stop(
                f"{self.place}: {problem}; start the workers in the project's folder on shared storage, or set "
                f"DATASET_STORAGE for the run ({GUIDE})"
            )
        return content


def map(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`function` of each item, in the items' order, with a few items under way per worker."""
    client = connected(address())
    ours = checked(client)
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            task = (ours, packed(function, item))
            with reachable():
                waiting.append(client.submit(anywhere(), task, pure=False))
                many = len(waiting) > 2 * len(client.nthreads())
            if many:
                yield result(client, waiting.popleft())
        while waiting:
            yield result(client, waiting.popleft())
    finally:
        if client.status == "running":
            client.cancel(list(waiting))


def shuffle(
    split: Callable[[T], Sequence[P]], merge: Callable[[list[P]], R], items: Sequence[T], parts: int
) -> Iterator[R]:
    """`merge` of the first part that `split` makes of each item, then of the second, and so on, `parts` in all.

    The parts go from worker to worker, and to disk where a worker has too many. What a dead worker held is made again.
    """
    client = connected(address())
    ours = checked(client)
    tasks: list[Future[Any]] = []
    try:
        with reachable():
            whole = [client.submit(anywhere(), (ours, packed(split, item)), pure=False) for item in items]
            run = uuid4().hex
            pieces = [
                [client.submit(piece(), made, part, key=f"{CHEAP}-{run}-{part}-{n}") for n, made in enumerate(whole)]
                for part in range(parts)
            ]
            problems = [client.submit(itemgetter(1), made, key=f"{CHEAP}-{run}-{n}") for n, made in enumerate(whole)]
            joined = [client.submit(anywhere(), (ours, packed(merge, None)), each, pure=False) for each in pieces]
            tasks += problems + joined
        del whole, pieces  # so that a worker forgets what it has passed on
        for problem in problems:
            result(client, problem, lambda error: (None, error))
        for each in joined:
            yield result(client, each)
    finally:
        if client.status == "running":
            client.cancel(tasks)


def packed(function: Callable[..., Any], item: Any) -> bytes:
    """A task as it travels: a function, by its name, with the params and what it is called with."""
    return pickle.dumps((function, params.whole(), sent(item)))


def piece() -> Callable[..., Any]:
    """Picks a part of what `split` made; as `anywhere`, it is unpickled without the project's code."""

    def far(made: tuple[Any, Any], part: int) -> Any:
        return made[0][part] if made[1] is None else None

    return far


@contextmanager
def reachable() -> Iterator[None]:
    """Around what needs the scheduler: a stop if it is lost."""
    from distributed.client import FutureCancelledError

    try:
        yield
    except (OSError, FutureCancelledError):
        raise stop(
            f"DASK_SCHEDULER_ADDRESS: the scheduler at {address()} went away in the middle; nothing was written, start it "
            f"and its workers and run again ({GUIDE})"
        ) from None


def anywhere() -> Callable[..., Any]:
    """What Dask is given to run: it needs none of the project's code to be unpickled, so it never fails to be.

    Dask logs what it cannot unpickle and the arguments of what raises, and a task can hold rows that are not redacted.
    """

    def far(given: tuple[dict[str, str], bytes] | None = None, parts: Any = None, dask_worker: Any = None) -> Any:
        try:
            from stages.contract import cluster
        except ImportError as error:
            return None, f"has not the project's code ({error})"
        return cluster.attempt(*given, parts) if given else (cluster.of_worker(dask_worker), None)

    return far


def address() -> str:
    """Where the scheduler is; a stop that says how to have one."""
    given = os.environ.get("DASK_SCHEDULER_ADDRESS", "")
    if not given:
        raise stop(
            "DASK_SCHEDULER_ADDRESS: is not set; start a cluster, on this machine with `make cluster`, and set it to "
            f"the scheduler's address, as in tcp://127.0.0.1:8786 ({GUIDE})"
        )
    return given


@cache
def connected(at: str) -> "Client":
    """The client of the scheduler there, once per process."""
    try:
        from distributed import Client
    except ImportError:
        raise stop("DATASET_ENGINE: dask is not installed; install the extra `dask`, or run `make run`") from None
    logging.getLogger("distributed.client").setLevel(
        logging.CRITICAL
    )  # a lost scheduler ends in a message, not in its log
    try:
        return Client(at)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise stop(
            f"DASK_SCHEDULER_ADDRESS: nobody answers as a Dask scheduler at {at} ({type(error).__name__}); "
            f"start one, on this machine with `make cluster`, or mend the address ({GUIDE})"
        ) from None


def checked(client: "Client") -> dict[str, str]:
    """What every worker must be; a stop if there is none, or one that is something else."""
    wait_for_a_worker(client)
    ours = identity() | ONE_BY_ONE
    with reachable():
        versions: Any = client.get_versions()
    for worker, found in sorted(versions["workers"].items()):
        if found:  # one that has just died says nothing: others do its work
            refuse(worker, differences({"Python": python()}, {"Python": python(found["host"]["python"])}))
    with reachable():
        said = client.run(anywhere(), on_error="return")
    for worker, found in sorted(said.items()):
        if not isinstance(found, Exception):
            theirs, problem = found
            refuse(worker, [problem] if problem else differences(ours, theirs))
    return ours


def wait_for_a_worker(client: "Client") -> None:
    """Wait for a worker as long as Dask waits for a connection, and stop if there is none."""
    from dask import config

    patience = config.get("distributed.comm.timeouts.connect")
    with reachable():
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            there = False
        else:
            there = True
    if not there:
        raise stop(
            f"{address()}: the scheduler has had no worker for {patience}; start some with "
            f"`dask worker {address()} --nworkers 4 --nthreads 1` in the project's folder ({GUIDE})"
        )


def python(version: str = platform.python_version()) -> str:
    """The part of Python's version that its bytes depend on."""
    return ".".join(version.split(".")[:2])


@cache
def identity() -> dict[str, str]:
    """What the bytes that this process gives depend on, besides its task."""
    code = hashlib.sha256()
    for file in sorted((REPOSITORY / "stages").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            code.update(f"{file.relative_to(REPOSITORY).as_posix()} {file.stat().st_size}\n".encode())
            code.update(file.read_bytes())
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE))
    found = {re.sub(r"[-_.]+", "-", each.name).lower(): each.version for each in [*distributions()][::-1]}
    return {
        "Python": python(),
        "machine": platform.machine(),
        "the project's code": code.hexdigest()[:12],
        **{name: version for name, version in sorted(found.items()) if name in locked},
    }


def of_worker(dask_worker: Any) -> dict[str, str]:
    """The same of a worker, with how many threads it has for tasks and for linear algebra."""
    return identity() | {"threads": str(dask_worker.state.nthreads), "BLAS threads": BLAS}


def differences(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """In what a worker is not as it must be; a library that it lacks is missed when it is needed."""
    return [
        f"{name} is {theirs[name]} there and must be {ours[name]}"
        for name in ours
        if theirs.get(name, ours[name]) != ours[name]
    ]


def refuse(worker: str, wrong: list[str]) -> None:
    """Stop if there is anything wrong with a worker."""
    if wrong:
        raise stop(
            f"{worker}: {', '.join(wrong[:3])}{' and more' if len(wrong) > 3 else ''}; start it again from this version of "
            f"the project and its requirements.lock, with --nthreads 1 ({GUIDE})"
        )


def sent(item: Any) -> Any:
    """The item with the files it names where workers find them."""
    if isinstance(item, Path):
        return shared(item)
    if isinstance(item, tuple):
        return tuple(sent(each) for each in item)
    if isinstance(item, Struct):
        return msgspec.structs.replace(
            item, **{name: sent(getattr(item, name)) for name in ("path", "files") if name in item.__struct_fields__}
        )
    return item


def shared(path: Path) -> File:
    """A file of the project as workers read it; below DATASET_STORAGE it is put once, under its digest."""
    content = path.read_bytes()
    digest, storage = hashlib.sha256(content).hexdigest(), os.environ.get("DATASET_STORAGE", "").rstrip("/")
    if not storage:
        return File(path.relative_to(paths.ROOT).as_posix(), digest)
    if "://" not in storage:
        raise stop(f"DATASET_STORAGE: {storage!r} is no address; use one like s3://bucket/folder")
    put(f"{storage}/{digest}", content)
    return File(f"{storage}/{digest}", digest)


def put(place: str, content: bytes) -> None:
    """Store bytes at an fsspec address, unless as many are there."""
    with storage(place) as (store, path):
        if not (store.exists(path) and store.size(path) == len(content)):
            store.pipe_file(path, content)


def fetched(place: str) -> bytes | None:
    """The bytes at a place; None if nothing is there."""
    if "://" not in place:
        file = paths.ROOT / place
        return file.read_bytes() if file.is_file() else None
    with storage(place) as (store, path):
        return bytes(store.cat_file(path)) if store.exists(path) else None


@contextmanager
def storage(place: str) -> Iterator[tuple[Any, str]]:
    """The file system of an address and the path in it; what goes wrong there is the user's to mend."""
    import fsspec

    try:
        yield fsspec.url_to_fs(place, **({"auto_mkdir": True} if place.startswith("file:") else {}))
    except Exception as error:
        raise stop(
            f"DATASET_STORAGE: {place}: {type(error).__name__}: {error}; the driver must be able to write there and "
            f"every worker to read, each with the library and the credentials for it ({GUIDE})"
        ) from error


def attempt(ours: dict[str, str], task: bytes, parts: list[Any] | None = None) -> tuple[Any, BaseException | None]:
    """What a worker does: the result, or the error. It is not raised here: Dask logs the arguments of what raises."""
    from distributed import get_worker

    worker = get_worker()
    try:
        refuse(worker.address, differences(ours, of_worker(worker)))
        function, settings, item = pickle.loads(task)  # noqa: S301 - from the driver, whom a worker obeys anyway
        params.take(settings)
        return function(item if parts is None else parts), None
    except Stop as mistake:
        return None, Stop(f"{mistake.message} (said by the worker {worker.address})")
    except Exception as error:  # noqa: BLE001 - the driver raises it
        error.add_note(f"on the worker {worker.address}:\n{traceback.format_exc()}")
        return None, error


def result(client: "Client", future: "Future[Any]", outcome: Callable[[Any], tuple[Any, Any]] = tuple) -> Any:
    """What a worker found, or its error raised. Tasks of dead workers are done again by others, as often as Dask allows."""
    from distributed import KilledWorker

    try:
        while not done(future):
            wait_for_a_worker(client)
        with reachable():
            found, error = outcome(future.result())
    except KilledWorker as lost:
        raise stop(
            f"{lost.last_worker.address}: was the last of several workers to die over the same item; look at their logs "
            f"(most often memory ran out: start fewer on a machine, or mend --memory-limit), then run again ({GUIDE})"
        ) from None
    if isinstance(error, str):
        refuse("a new worker", [error])
    elif error:
        raise error
    return found


def done(future: "Future[Any]") -> bool:
    """Wait a while for a task to end; whether it has."""
    with reachable():
        try:
            future.exception(timeout=LOOK)
        except TimeoutError:
            return False
    return True
