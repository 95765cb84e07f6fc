"""A headless browser for tests: what a page becomes when it is opened, what it says on its console, what it asks for."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from msgspec import Struct

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless",
    "--no-sandbox",  # a container has no user namespaces; the pages are this repository's own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=4000",
)


class Opened(Struct):
    """The page after its scripts ran, the lines of its console, and the addresses that were asked for over a network."""

    dom: str
    console: list[str]
    requests: list[str]


def program() -> str | None:
    """The browser of this machine, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def opened(page: Path, fragment: str = "", *options: str) -> Opened:
    """Open a file in a fresh browser; without one the test is skipped."""
    browser = program() or pytest.skip(f"none of {', '.join(NAMES)} is installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        log = Path(profile) / "net.json"
        own = (f"--user-data-dir={profile}", f"--log-net-log={log}", "--enable-logging=stderr", "--v=0", "--dump-dom")
        done = subprocess.run(
            [browser, *QUIET, *own, *options, page.as_uri() + fragment],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]  # the rest is the machine's noise
        return Opened(done.stdout, console, asked_for(log))


def asked_for(log: Path) -> list[str]:
    """The addresses in the browser's log of its network."""
    events = json.loads(log.read_text("utf-8", "replace"))["events"]
    return sorted({str(event["params"]["url"]) for event in events if "url" in event.get("params", {})})
