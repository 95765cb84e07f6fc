"""Progress goes to stderr: a bar on a terminal, a line a minute without one, and nothing for what is over at once."""

import os
import select
import subprocess
import sys
import termios

import pytest

from stages.contract import progress
from tests.conftest import REPOSITORY, stage

SLOW = """
import time
from stages.contract import progress
progress.AFTER = 0.0
for item in progress.over(range(20), "measure log", 20):
    time.sleep(0.02)
"""


def on_a_terminal(program: str) -> str:
    """What a program writes to stderr when that is a real terminal."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stderr=theirs) as started:
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], 30)[0]:
            try:
                piece = os.read(ours, 1024)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            seen += piece
    os.close(ours)
    assert started.returncode == 0
    return seen.decode()


@pytest.mark.parametrize("total", [None, 5])
def test_every_item_comes_through_once_and_in_order(total, capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    assert list(progress.over(iter("abcde"), "read", total)) == list("abcde")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[-1].startswith("read: 5 of 5 records, " if total else "read: 5 records, ")


def test_nothing_is_said_of_what_is_over_at_once(capsys):
    list(progress.over(range(1000), "read", 1000))
    assert capsys.readouterr().err == ""


def test_a_line_says_rate_and_time_left():
    assert progress.line("measure log", 200, 1_000, "records", 10.0) == (
        "measure log: 200 of 1,000 records, 20 a second, about 40 s left"
    )


def test_an_item_counts_by_the_size_of_its_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    files = [tmp_path / name for name in "ab"]
    for number, file in enumerate(files, 1):
        file.write_bytes(b"x" * number * 1_000_000)
    assert list(progress.over_files(iter([10, 20]), "export", files)) == [10, 20]
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "export: 1 of 3 MB",
        "export: 3 of 3 MB",
    ]


def test_a_terminal_shows_a_bar_that_goes_away():
    seen = on_a_terminal(SLOW)
    assert "measure log" in seen
    assert "records/s" in seen
    assert seen.endswith("\r")


def test_a_stage_without_a_terminal_prints_nothing_but_its_work(project):
    done = stage(project, "collect", "faq")
    assert (done.stdout, done.stderr) == ("", "")
