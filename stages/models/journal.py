"""Everything that was ever asked and paid, in one file beside DVC's cache: intents before they are sent, then answers.

Worktrees and temporary experiments share it. Every entry is one line, appended under a file lock; an intent is on the
disk before its request is sent. What an intent may cost counts as spent until its answer says what it did cost, so an
intent of a process that died counts whole. A line that was torn by a crash is passed over.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Literal

import msgspec
from msgspec import Struct

from stages.contract.params import stop
from stages.contract.record import encode
from stages.models import cache
from stages.models.request import LASTING, Answer

FOLDER = "answers-journal"
FILE = "journal.jsonl"
PIECE = 1 << 24  # bytes read at once


class Entry(Struct, omit_defaults=True, frozen=True):
    """One line. An `intent` names what is asked and what each may cost at most; `sent` names the provider's batch of an
    intent; `answer` and `settled` say what one of them did cost, in micro-dollars; `closed` ends a batch, and what is left
    of its intent was not charged, if it gives no reason. `raw` is the text of a reply that was no good.
    """

    what: Literal["intent", "sent", "answer", "settled", "closed"]
    id: str
    at: str = ""
    stage: str = ""
    run: str = ""
    keys: list[str] = []
    costs: list[int] = []
    usd: int = 0
    batch: str = ""
    is_batch: bool = False
    answer: Answer | None = None
    raw: str = ""
    why: str = ""


decode = msgspec.json.Decoder(Entry).decode


def there() -> bool:
    """Whether anything was ever asked."""
    return (place() / FILE).is_file()


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def place() -> Path:
    """The folder of the journal."""
    return cache.folder().parent / FOLDER


class Journal:
    """The journal while a run asks. It remembers the answers to `wanted` keys, the sums, and the batches under way."""

    def __init__(self, wanted: Container[str]) -> None:
        self.wanted = wanted
        self.answers: dict[str, Answer] = {}
        self.spent: dict[tuple[str, str], int] = defaultdict(int)
        self.open: dict[tuple[str, str], tuple[int, Entry]] = {}
        self.batches: dict[str, Entry] = {}
        self.names: dict[str, str] = {}
        self.torn = 0
        self.read_to = self.synced_to = 0
        self.writing, self.syncing = RLock(), RLock()
        self.file = opened(place())
        with self.locked():
            pass  # reads what is there

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file alone, among threads and processes, knowing all that is in it."""
        with self.writing:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            try:
                self.catch_up()
                yield
            finally:
                fcntl.flock(self.file, fcntl.LOCK_UN)

    def catch_up(self) -> None:
        """Read what was appended since, by this process or another."""
        if os.fstat(self.file).st_size == self.read_to:
            return
        rest = b""
        while piece := os.pread(self.file, PIECE, self.read_to):
            self.read_to += len(piece)
            whole, end, rest = (rest + piece).rpartition(b"\n")
            self.take_lines(whole + end)
        if rest:
            self.take_lines(rest)
            write(self.file, b"\n")  # so that what a crash left of a line spoils no other
            self.read_to += 1

    def take_lines(self, content: bytes) -> None:
        """Take in what is written in these lines."""
        for line in content.split(b"\n"):
            try:
                if line:
                    self.take(decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.torn += 1

    def append(self, *entries: Entry) -> None:
        """Write the entries; `sync` puts them on the disk."""
        with self.locked():
            self.put(entries)

    def put(self, entries: Iterable[Entry]) -> None:
        """The same for who holds the file already."""
        content = b"".join(encode(entry) + b"\n" for entry in entries)
        write(self.file, content)
        self.read_to += len(content)
        for entry in entries:
            self.take(entry)

    def sync(self) -> None:
        """Wait until all that was appended is on the disk; one wait serves every thread that came before it."""
        reached = self.read_to
        with self.syncing:
            if self.synced_to < reached:
                reached = self.read_to
                os.fsync(self.file)
                self.synced_to = reached

    def reserve(self, intent: Entry, limits: dict[str, int]) -> str:
        """Write the intent if every limit allows what it may cost; or the scope that does not."""
        with self.locked():
            for scope, name in scopes(intent):
                if scope in limits and self.spent[scope, name] + sum(intent.costs) > limits[scope]:
                    return scope
            self.put([intent])
        return ""

    def take(self, entry: Entry) -> None:
        """Bring what is known up to this entry."""
        if entry.what == "intent":
            self.begin(entry)
        elif entry.what == "sent":
            self.names[entry.id] = entry.batch
        elif entry.what == "closed":
            for at in [] if entry.why else [at for at in self.open if at[0] == entry.id]:
                self.settle(at, 0)
            self.batches.pop(entry.id, None)
        else:
            self.settle((entry.id, entry.keys[0]), entry.usd)
        if entry.answer and entry.answer.key in self.wanted:
            before = self.answers.get(entry.answer.key)
            if before is None or before.kind not in LASTING:
                self.answers[entry.answer.key] = entry.answer

    def begin(self, intent: Entry) -> None:
        """Count an intent as spent."""
        for asked, cost in zip(intent.keys, intent.costs, strict=True):
            self.open[intent.id, asked] = cost, intent
        for scope in scopes(intent):
            self.spent[scope] += sum(intent.costs)
        if intent.is_batch:
            self.batches[intent.id] = intent

    def settle(self, at: tuple[str, str], usd: int) -> None:
        """Put what it cost in the place of what it might have cost."""
        cost, intent = self.open.pop(at, (None, None))
        if intent is not None and cost is not None:
            for scope in scopes(intent):
                self.spent[scope] += usd - cost


def scopes(entry: Entry) -> Iterable[tuple[str, str]]:
    """What an intent's money is spent on."""
    return ("run", entry.run), ("stage", entry.stage), ("day", entry.at[:10]), ("all", "")


def opened(folder: Path) -> int:
    """The descriptor of the journal, made if it is not there; git does not see it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text("*\n")
        return os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise stop(f"{folder / FILE}: cannot be written ({error.strerror}); paid answers would be lost") from None


def write(file: int, content: bytes) -> None:
    """Write all of it."""
    try:
        while content:
            content = content[os.write(file, content) :]
    except OSError as error:
        raise stop(f"{FOLDER}/{FILE}: cannot be written ({error.strerror}); make room, then run again") from None
