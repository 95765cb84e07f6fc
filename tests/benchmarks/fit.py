"""Fit the classifiers of the checks and write their weights: `python -m tests.benchmarks.fit toxicity PUBLIC`, or injection.

PUBLIC is a folder of public sets, as `labelled.py` reads them; nothing but this needs it, and no row of it is kept. Of sets
that the benchmark reports on only half 0 is fitted on; of toxicity's none. The rest of the sentences are invented and stand
in invented.yaml. Needs scikit-learn; the same versions write the same bytes.
"""

import random
import re
import sys
import tarfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from stages.checks import injection, toxicity
from stages.text import linear
from stages.text.linear import Kind, Model
from tests.benchmarks import labelled

HERE = Path(__file__).parent
SLOT = re.compile(r"\{(\w+)\}")
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")
UNIT = 4.0  # the value of a feature, over the root of their number: what the penalty of the regression is measured in
LARGEST = 32_767  # of a weight, which has 16 bits


class Example(NamedTuple):
    """The words of a piece, whether it is to be found, and how much it counts."""

    words: list[str]
    label: int
    weight: float


def toxic(public: Path) -> Iterator[Example]:
    """Comments and their neutral rewrites, obscene words, invented sentences, and plain sentences of instructions."""
    rude, neutral = labelled.paradetox(public)
    yield from pieces(toxicity.pieces, rude, 1)
    yield from pieces(toxicity.pieces, neutral, 0)
    yield from pieces(toxicity.pieces, obscenities(public), 1)
    yield from pieces(toxicity.pieces, invented("toxicity", ("hate", "insults"), 15), 1, 3)
    yield from pieces(toxicity.pieces, invented("toxicity", ("harmless",), 15), 0, 3)
    plain = [part for text in labelled.harmless(public) for part in SENTENCE.split(text) if 15 < len(part) < 300]
    yield from pieces(toxicity.pieces, random.Random(0).sample(plain, 12_000), 0)


def obscenities(public: Path) -> list[str]:
    """The English list of LDNOOBW (CC-BY-4.0)."""
    packed = (public / "B_truth/ldnoobw_wordlists/ldnoobw_wordlists.tar.gz").read_bytes()
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        file = archive.extractfile("ldnoobw_wordlists/en")
        assert file
        return [line for line in file.read().decode().splitlines() if line]


def ordering(public: Path) -> Iterator[Example]:
    """Half 0 of what is labelled, invented sentences alone and inside plain text, and plain text itself."""
    known = [text for text in labelled.injections(public) if text.half == 0]
    plain = labelled.harmless(public)
    for text in known:
        yield from shared(text.text, text.label)
    for text in labelled.transcripts(public):
        if text.half == 0:
            yield from shared(text.text, 0)
    for text in plain:
        yield from shared(text, 0)
    chance = random.Random(0)
    for groups, label in ((("orders",), 1), (("harmless", "trigger_words"), 0)):
        for sentence in invented("injection", groups, 12 if label else 18):
            yield from shared(sentence, label)
            before, after = (SENTENCE.split(chance.choice(plain)) for _ in range(2))
            yield from shared("\n".join((chance.choice(before), sentence, chance.choice(after))), label)


MOST = 8  # excerpts of a text that is to be found: a long one has many, and not all of them tell


def shared(text: str, label: int) -> Iterator[Example]:
    """The excerpts of a text; those of one that is to be found count as one together, as one is enough to find it."""
    found = list(injection.excerpts(text))[: MOST if label else None]
    for words in found:
        yield Example(words, label, 1 / len(found) if label else 1)


def pieces(cut: Any, texts: Iterable[str], label: int, weight: float = 1) -> Iterator[Example]:
    """The pieces of some texts."""
    for text in texts:
        for words in cut(text):
            yield Example(words, label, weight)


def invented(part: str, groups: Iterable[str], times: int) -> list[str]:
    """Each invented sentence of these groups so many times, its slots filled by chance, without copies."""
    sentences = yaml.safe_load((HERE / "invented.yaml").read_text("utf-8"))[part]
    slots = {name: phrases.split(", ") for name, phrases in sentences["slots"].items()}
    slots["hate"] = sentences.get("hate", [])
    chance = random.Random(0)
    patterns = [pattern for group in groups for pattern in sentences[group]]
    return list(dict.fromkeys(filled(pattern, slots, chance) for _ in range(times) for pattern in patterns))


def filled(pattern: str, slots: dict[str, list[str]], chance: random.Random) -> str:
    """A pattern with a phrase in each slot."""
    while SLOT.search(pattern):
        pattern = SLOT.sub(lambda slot: chance.choice(slots[slot[1]]), pattern)
    return pattern


def fitted(examples: list[Example], kind: Kind, strength: float) -> Model:
    """A logistic regression of the examples, both labels counting the same, as weights of 16 bits."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    owners, found = linear.places([example.words for example in examples], kind)
    sizes = np.bincount(owners, minlength=len(examples))
    rows = csr_matrix((UNIT / np.sqrt(sizes[owners]), (owners, found)), (len(examples), 1 << kind.bits))
    regression = LogisticRegression(C=strength, solver="liblinear", class_weight="balanced", max_iter=300)
    labels, counts = [example.label for example in examples], [example.weight for example in examples]
    regression.fit(rows, labels, sample_weight=counts)
    weights, scale = regression.coef_[0], np.abs(regression.coef_).max() / LARGEST
    return Model(kind, np.round(weights / scale).astype(np.int16), float(scale * UNIT), float(regression.intercept_[0]))


FITS = {
    "toxicity": (toxic, Kind(runs=2, letters=(3, 5), bits=18), 1.0),
    "injection": (ordering, Kind(runs=3, letters=None, bits=18), 1.0),
}


def main(name: str, public: str) -> None:
    """Fit one classifier and write its weights beside the code that reads them."""
    examples, kind, strength = FITS[name]
    model = fitted(list(examples(Path(public))), kind, strength)
    path = Path(linear.__file__).with_name(f"{name}.xz")
    linear.write(path, model)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
