"""Commands that drop near-duplicates from a file of rows: ours, and what other tools offer for the same work.

All at a similarity of 0.8 with 128 permutations, on two processes where a tool can. rensa compares runs of five characters
as we do; the others runs of five words, which is their default and about a fifth of the work.
"""

import sys
from pathlib import Path

from tests.benchmarks import environments
from tests.benchmarks.corpus import SCRIPTS

Command = list[str | Path]
PEERS = ("text-dedup", "data-juicer", "datatrove", "rensa", "datasketch")
FLOOR = """
import sys, time, xxhash
started = time.perf_counter()
xxhash.xxh3_128_digest(open(sys.argv[1], "rb").read())
print(time.perf_counter() - started)
"""


def commands(folder: Path, data: Path, work: Path) -> dict[str, Command]:
    """The command of every peer, its environment made; it writes into `work`."""
    python = {name: environments.python(folder, name) for name in PEERS}
    kept = work / "kept.txt"
    return {
        "text-dedup": text_dedup(python["text-dedup"], data, work),
        "data-juicer": data_juicer(python["data-juicer"], data, work),
        "datatrove": [python["datatrove"], SCRIPTS / "peer_datatrove.py", data, work / "datatrove", kept, "minhash"],
        "rensa": [python["rensa"], SCRIPTS / "peer_rensa.py", data, kept, "dedup", "c5"],
        "datasketch": [python["datasketch"], SCRIPTS / "peer_datasketch.py", data, kept, "best2p", "w5"],
    }


def data_juicer(python: Path, data: Path, work: Path) -> Command:
    """data-juicer's own command with nothing but its MinHash operator."""
    places: Command = ["--dataset_path", data, "--export_path", work / "data-juicer/kept.jsonl"]
    return [python.with_name("dj-process"), "--config", SCRIPTS / "dj_minhash.yaml", *places]


def text_dedup(python: Path, data: Path, work: Path) -> Command:
    """text-dedup's own command."""
    files: Command = ["--path", "json", "--data_files", data, "--split", "train", "--column", "text"]
    places: Command = ["--cache_dir", work / "text-dedup.cache", "--output", work / "text-dedup"]
    sets = ["--ngram", "5", "--min_length", "1", "--num_perm", "128", "--threshold", "0.8"]
    hashes = ["--hash_func", "xxh3", "--hash_bits", "64", "--num_proc", "2", "--batch_size", "10000"]
    return [python, "-m", "text_dedup.minhash", *files, *places, *sets, *hashes]


def ours(data: Path, kept: Path, *matches: Path) -> Command:
    """The project's own kernel over the same rows."""
    return [sys.executable, "-m", "tests.benchmarks.near_dedup", data, kept, *matches]


def floor(folder: Path, data: Path) -> Command:
    """Reads the file whole and hashes every byte once, and says how many seconds that took without the start of Python."""
    return [environments.python(folder, "datasketch"), "-c", FLOOR, data]
