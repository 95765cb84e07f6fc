"""Asking a language model on loopback that takes 0.2 s for a reply, through the real SDK: one request at a time, 32 at once,
and a stage whose answers are all kept. Times are of the whole process, the import of the SDK included.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.models import answers, request
from stages.models.settings import Params
from tests import model_server
from tests.benchmarks import Row, usage
from tests.conftest import REPOSITORY

LATENCY = 0.2  # seconds
REQUESTS, KEPT = 1_000, 10_000
ASK = """
import json, sys
from stages.models.ask import ask
from stages.models.request import request
from stages.models.settings import Params
given = Params(**json.loads(sys.argv[1]))
ask("judge", [request(given, f"Record {n}", "Score it.") for n in range(int(sys.argv[2]))], given)
"""


def rows(folder: Path) -> Iterator[Row]:
    """Seconds, memory and CPU."""
    with model_server.running() as server, TemporaryDirectory(dir=folder) as name:
        server.latency = LATENCY
        one = asked(server.address, Path(name) / "one", 1)
        many = asked(server.address, Path(name) / "many", 32)
    kept = read(folder)
    yield f"{REQUESTS:,} requests one at a time", f"{one.wall:.1f} s", ""
    yield f"{REQUESTS:,} requests, 32 at once", f"{many.wall:.1f} s, {many.cpu:.1f} s CPU", ""
    yield "times as fast", f"{one.wall / many.wall:.1f}", "at least 10"
    yield "memory with 32 at once", f"{many.memory:.0f} MB", "under 300 MB"
    yield f"{KEPT:,} kept answers", f"{kept.cpu:.2f} s CPU", "under 3 s"


def asked(address: str, root: Path, concurrency: int) -> usage.Usage:
    """What all requests take."""
    given = {"provider": "anthropic", "address": address, "model": "claude-haiku-5-5", "batch_from": None}
    return of_asking(root, given | {"concurrency": concurrency}, REQUESTS)


def of_asking(root: Path, given: dict[str, object], count: int) -> usage.Usage:
    """What a process takes that asks in this project."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "data/models.yaml").write_bytes((REPOSITORY / "data/models.yaml").read_bytes())
    command = [sys.executable, "-c", ASK, json.dumps(given), str(count)]
    where = {"DATASET_ROOT": str(root), "PYTHONPATH": str(REPOSITORY)}
    return usage.of_command(command, root / "log", **where, DATASET_MAX_USD="100", ANTHROPIC_API_KEY=model_server.KEY)


def read(folder: Path) -> usage.Usage:
    """What a stage takes that finds every answer."""
    given = Params(provider="anthropic", model="claude-haiku-5-5")
    made = [request.request(given, f"Record {number}", "Score it.") for number in range(KEPT)]
    content = {"reason": "It answers the question in one sentence and names the menu.", "score": 4}
    used = request.Usage(300, 40)
    found = sorted(map(request.key, made))
    with TemporaryDirectory(dir=folder) as name:
        path = Path(name) / answers.relative("judge")
        path.parent.mkdir(parents=True)
        lines = (
            answers.written(request.Answer(key, "ok", content, "claude-haiku-5-5", "end_turn", used)) for key in found
        )
        path.write_bytes(b"".join(answers.encode(line) + b"\n" for line in lines))
        return of_asking(Path(name), {"provider": "anthropic", "model": "claude-haiku-5-5"}, KEPT)
