"""A Dask cluster for tests and measurements: the scheduler and the workers that the documentation starts, on loopback."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import REPOSITORY

QUICK = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3s", "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0"}
"""What is not there is missed after three seconds."""


@contextmanager
def command(*words: str, log: Path, cwd: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs while the block lasts, with this Python first on its path; its output goes to `log`."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY)} | env
    with log.open("ab") as file:
        process = subprocess.Popen(words, cwd=cwd, env=environment, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(happens, seconds: float = 30) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.05)


@contextmanager
def scheduler(folder: Path, *before: str, host: str = "127.0.0.1", **env: str) -> Iterator[str]:
    """A scheduler, its log in the folder; gives its address. `before` are words put before its command."""
    file = folder / "scheduler.json"
    words = ("dask", "scheduler", "--host", host, "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    with command(*before, *words, log=folder / "scheduler.log", cwd=folder, **env):
        until(lambda: file.is_file() and file.stat().st_size > 0)
        yield str(json.loads(file.read_text())["address"])


@contextmanager
def workers(
    address: str, project: Path, log: Path, *options: str, count: int = 2, before: tuple[str, ...] = (), **env: str
):
    """Worker processes, each a command of its own, started in a project's folder."""
    from distributed import Client

    with ExitStack() as running, Client(address, set_as_default=False) as client:
        there = len(client.nthreads())
        for _ in range(count):
            words = ("dask", "worker", address, "--no-dashboard", "--local-directory", str(log.parent), *options)
            threads = () if "--nthreads" in options else ("--nthreads", "1")
            running.enter_context(command(*before, *words, *threads, log=log, cwd=project, **env))
        until(lambda: len(client.nthreads()) >= there + count)
        yield


@contextmanager
def cluster(folder: Path, project: Path, count: int = 2, **env: str) -> Iterator[str]:
    """A scheduler with workers; gives its address."""
    folder.mkdir(parents=True, exist_ok=True)
    with scheduler(folder, **env) as address, workers(address, project, folder / "workers.log", count=count, **env):
        yield address
