"""Vectors of texts: lexical ones, or those of any encoder that is at hand.

Lexical vectors know letters, not meaning: TF-IDF of character n-grams, brought down to 256 numbers. So other questions in
one template are alike to them. Encoders know more, as far as they were taught.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.contract import paths
from stages.contract.params import stop

LEXICAL = "lexical"
GRAMS, FEATURES, DIMENSIONS = (3, 5), 1 << 16, 256  # characters, hashed n-grams, numbers of a vector


def unit(texts: Sequence[str], name: str) -> "NDArray[np.float32]":
    """Vectors of length 1, shape (texts, numbers); nothing for a text without any. The same text is encoded once."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    vectors = np.asarray(encoder(name)(list(rows)), np.float64) if rows else np.empty((0, 1))
    if vectors.ndim != 2 or len(vectors) != len(rows) or not np.isfinite(vectors).all():
        raise stop(
            f"params.yaml: dedup: {name}: gave {vectors.shape} for {len(rows)} texts, or values that are no numbers; "
            "`.encode` must give one row of finite numbers per text"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)[[rows[text] for text in texts]]


@cache
def encoder(name: str) -> Callable[[list[str]], Any]:
    """What makes vectors of texts; a stop if it is not there."""
    if name == LEXICAL:
        needs("sklearn", "scikit-learn", "semantic")
        return lexical
    if ":" not in name:
        return model(name)
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise stop(f"params.yaml: dedup: {name}: {error}; name it as package.module:attribute") from None
    found = found() if isinstance(found, type) else found
    if not callable(getattr(found, "encode", None)):
        raise stop(f"params.yaml: dedup: {name}: has no `.encode`; name a class or an object that has it")
    return found.encode  # type: ignore[no-any-return]


def model(name: str) -> Callable[[list[str]], Any]:
    """The sentence-transformers model in a folder of the project; nothing is ever downloaded."""
    if not (folder := paths.ROOT / name).is_dir():
        raise stop(
            f"params.yaml: dedup: {name}: there is no such folder; put a sentence-transformers model there, "
            f"or name an encoder as package.module:attribute, or say {LEXICAL}"
        )
    needs("sentence_transformers", "sentence-transformers", "embeddings")
    made: Any = import_module("sentence_transformers").SentenceTransformer(str(folder), local_files_only=True)
    return made.encode  # type: ignore[no-any-return]


def needs(module: str, library: str, extra: str) -> None:
    """Stop if an optional library is not installed."""
    if find_spec(module) is None:
        raise stop(f"params.yaml: dedup: {library} is not installed; install the extra `{extra}`")


def lexical(texts: list[str]) -> "NDArray[np.float64]":
    """Latent semantic analysis of character n-grams: what TruncatedSVD gives, fitted on these texts."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    grams = HashingVectorizer(
        analyzer="char_wb", ngram_range=GRAMS, n_features=FEATURES, alternate_sign=False, norm=None
    )
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(grams.transform(texts))
    with threadpool_limits(1, "blas"):  # the order of its sums depends on the threads
        left, sizes, _ = randomized_svd(weighed, min(DIMENSIONS, len(texts)), random_state=0)
    return np.asarray(left * sizes, np.float64)
