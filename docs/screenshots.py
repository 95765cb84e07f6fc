"""The pictures in the README, from the built sample's report: `make screenshots`. Needs a Chromium."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from stages.contract.paths import REPORT
from tests.browser import QUIET, program

FOLDER = Path(__file__).parent
WIDTH = 1200  # pixels
PICTURES = {"report": ("", 1080), "drops": ("#stage=dedup", 1150)}
"""The fragment of the address and the height in pixels, by the picture's name."""


def only(section: str, content: str) -> str:
    """The page with one of its sections, whose first fitting entry is open: a picture is always of a page's top."""
    kept = re.search(rf'<section id="{section}".*?</section>', content, re.DOTALL)
    if not kept:
        raise ValueError(f"{REPORT}: has no section {section}; run `dvc repro`")
    opened = re.sub(r'(data-stage="dedup" data-reason="near.*?<details)', r"\1 open", kept[0], count=1, flags=re.DOTALL)
    alone = re.sub(r"<header>.*</main>", lambda _: f"<main>{opened}</main>", content, count=1, flags=re.DOTALL)
    still = alone.replace("browser.section.scrollIntoView();", "")  # a picture of a scrolled page has a blank top
    return re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", still)  # which names the script as it was


def take(browser: str, name: str, content: str) -> None:
    """Write one picture."""
    fragment, height = PICTURES[name]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "page.html"
        page.write_text(content, "utf-8")
        own = (f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{height}")
        picture = f"--screenshot={FOLDER / name}.png"
        subprocess.run([browser, *QUIET, *own, picture, page.as_uri() + fragment], check=True, capture_output=True)


def main() -> None:
    """Take all pictures."""
    browser = program()
    if not browser:
        sys.exit("docs/screenshots.py: no Chromium is installed; install one, or leave the pictures as they are")
    content = Path(REPORT).read_text("utf-8")
    take(browser, "report", content)
    take(browser, "drops", only("drops", content))


if __name__ == "__main__":
    main()
