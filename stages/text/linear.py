"""Small linear classifiers of text: weights of runs of words, and of letters inside words, in one hashed table.

A score is the logistic of the sum of the weights, over the root of how many there are: integers until that last division, so
that every machine finds the same three decimals. What the weights were fitted on, and under which licences, stands in
WEIGHTS.md beside them; `python -m tests.benchmarks.fit` writes them.
"""

import lzma
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORD = re.compile(r"[^\W_]+(?:['*@$!#]+[^\W_]+)*")
"""Letters and digits, also with an apostrophe or with the signs that stand for letters in masked words."""
NAMELESS = "<"
"""First letter of what stands for many words, such as `<group>`: no word of a text begins with it. It has no letters."""
LONGEST = 40  # letters of a word that are looked at: no text costs more than its length
ODD = 0x9E3779B1  # multiplier that mixes hashes of 32 bits: 2^32 over the golden ratio, odd


class Kind(Struct, frozen=True):
    """What a model looks at: runs of up to so many words, of so many letters inside a word, in a table of 2^bits weights."""

    runs: int
    letters: tuple[int, int] | None
    bits: int


class Model(Struct):
    """Weights, shape (2^bits,), 16 bits each, and the numbers that make a score of their sum."""

    kind: Kind
    weights: "NDArray[np.int16]"
    scale: float
    bias: float


@cache
def read(name: str) -> Model:
    """The model in `<name>.xz` beside this file: its first line are the kind and the numbers, the rest are the weights."""
    import numpy as np

    first, _, table = lzma.decompress(Path(__file__).with_name(f"{name}.xz").read_bytes()).partition(b"\n")
    head = msgspec.json.decode(first)
    return Model(msgspec.convert(head["kind"], Kind), np.frombuffer(table, "<i2"), head["scale"], head["bias"])


def write(path: Path, model: Model) -> None:
    """Keep a model as `read` finds it."""
    head = msgspec.json.encode({"kind": model.kind, "scale": model.scale, "bias": model.bias}, order="sorted")
    path.write_bytes(lzma.compress(head + b"\n" + model.weights.astype("<i2").tobytes(), preset=9))


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return WORD.findall(text.lower())


def worst(name: str, texts: Iterable[Iterable[list[str]]]) -> list[float]:
    """The highest score of the pieces of each text; 0 for a text without any."""
    import numpy as np

    found: list[list[str]] = []
    sizes = []
    for pieces in texts:
        before = len(found)
        found.extend(pieces)
        sizes.append(len(found) - before)
    highest = np.zeros(len(sizes))
    np.maximum.at(highest, np.repeat(np.arange(len(sizes)), sizes), scores(name, found))
    return [float(each) for each in highest]


def scores(name: str, pieces: list[list[str]]) -> "NDArray[np.float64]":
    """How likely each piece is what the model was fitted to find: 0 to 1 with three decimals; 0 without words."""
    import numpy as np

    model, many = read(name), len(pieces)
    owners, found = run_places(pieces, model.kind)
    counts = np.bincount(owners, minlength=many).astype(np.int64)
    sums = np.bincount(owners, model.weights[found], many)  # whole numbers: exact
    if model.kind.letters:
        owners, numbers, vocabulary = distinct_words(pieces)
        inside = np.array([letters_of(name, word) for word in vocabulary], np.int64).reshape(-1, 2)
        sums += np.bincount(owners, inside[numbers, 0], many)
        counts += np.bincount(owners, inside[numbers, 1], many).astype(np.int64)
    totals = model.bias + model.scale * sums / np.sqrt(np.maximum(counts, 1))
    return np.where(counts > 0, np.round(1 / (1 + np.exp(-totals.clip(-30, 30))), 3), 0.0)


@lru_cache(1 << 16)
def letters_of(name: str, word: str) -> tuple[int, int]:
    """The sum of the weights of a word's letters, and how many there are."""
    model = read(name)
    found = letter_places(word, model.kind)
    return int(model.weights[found].sum(dtype="int64")), len(found)


def places(pieces: list[list[str]], kind: Kind) -> tuple["NDArray[np.int64]", "NDArray[np.int64]"]:
    """All features: the piece each belongs to, and its place in the table. Letters count for each word that differs."""
    import numpy as np

    owners, found = run_places(pieces, kind)
    if not kind.letters:
        return owners, found
    words_of, numbers, vocabulary = distinct_words(pieces)
    inside = [letter_places(word, kind) for word in vocabulary]
    sizes = np.array([len(each) for each in inside], np.int64)[numbers]
    letters = [inside[number] for number in numbers.tolist()]
    return np.concatenate((owners, np.repeat(words_of, sizes))), np.concatenate((found, *letters))


def run_places(pieces: list[list[str]], kind: Kind) -> tuple["NDArray[np.int64]", "NDArray[np.int64]"]:
    """The piece of each run of words, and the run's place; each once in a piece."""
    import numpy as np

    owner = owners_of(pieces)
    first = np.fromiter(map(word_hash, chain.from_iterable(pieces)), np.uint32, len(owner))
    run, keys = first, []
    for length in range(kind.runs):
        whole = owner[length:] == owner[: len(owner) - length]
        places = (run * np.uint32(ODD) >> np.uint32(32 - kind.bits)).astype(np.int64)
        keys.append((owner[length:] << kind.bits | places)[whole])
        run = run[:-1] * np.uint32(ODD) + first[length + 1 :]
    found = distinct(np.concatenate(keys))
    return found >> kind.bits, found & (1 << kind.bits) - 1


def distinct_words(pieces: list[list[str]]) -> tuple["NDArray[np.int64]", "NDArray[np.int64]", list[str]]:
    """The piece of each word that differs from those before it in the piece, the word's number, and the numbered words."""
    import numpy as np

    owner = owners_of(pieces)
    vocabulary = dict(zip(dict.fromkeys(chain.from_iterable(pieces)), count(), strict=False))
    numbers = np.fromiter(map(vocabulary.__getitem__, chain.from_iterable(pieces)), np.int64, len(owner))
    keys = distinct(owner << 32 | numbers)
    return keys >> 32, keys & (1 << 32) - 1, list(vocabulary)


def distinct(keys: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """The numbers in order, each once. `np.unique` of NumPy 2.4 hashes them, which takes 20 times as long as sorting."""
    import numpy as np

    keys.sort()
    found: NDArray[np.int64] = keys[np.append(np.ones(min(1, len(keys)), bool), keys[1:] != keys[:-1])]
    return found


def owners_of(pieces: list[list[str]]) -> "NDArray[np.int64]":
    """Of each word the number of its piece."""
    import numpy as np

    owners: NDArray[np.int64] = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    return owners


def letter_places(word: str, kind: Kind) -> "NDArray[np.int64]":
    """The places of the runs of letters in a word, its ends marked; what stands for many words has none."""
    import numpy as np
    from xxhash import xxh32_intdigest

    shortest, longest = kind.letters if kind.letters and not word.startswith(NAMELESS) else (1, 0)
    marked = f"<{word[:LONGEST]}>"
    pieces = {
        marked[start : start + length]
        for length in range(shortest, longest + 1)
        for start in range(len(marked) - length + 1)
    }
    shift = 32 - kind.bits
    return np.array([xxh32_intdigest(piece.encode(), 1) >> shift for piece in sorted(pieces)], np.int64)


@lru_cache(1 << 16)
def word_hash(word: str) -> int:
    """The hash of a word's first letters."""
    from xxhash import xxh32_intdigest

    return xxh32_intdigest(word[:LONGEST].encode())
