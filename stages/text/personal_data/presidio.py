"""Names and places as a model of the optional package presidio-analyzer sees them in a text."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from stages.contract.params import stop
from stages.text.patterns import Span

SURE = 0.5  # score from which a find counts
INSTALL = "pip install -e '.[presidio]' && python -m spacy download"


def found(text: str, entity: str, model: str) -> Iterator[Span]:
    """Where the model sees what Presidio calls this."""
    for result in analyzer(model).analyze(text, "en", entities=[entity], score_threshold=SURE):
        yield result.start, result.end


@cache
def analyzer(model: str) -> Any:
    """Presidio with one spaCy model, or a stop that says how to install them."""
    try:
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer
        from presidio_analyzer.recognizer_registry import RecognizerRegistry
        from spacy.util import is_package
    except ImportError:
        raise missing(model, "presidio-analyzer") from None
    from pathlib import Path

    if not is_package(model) and not Path(model).is_dir():  # Presidio itself would go and fetch it
        raise missing(model, f"the spaCy model {model}")
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": model}])
    engine.load()
    registry = RecognizerRegistry([SpacyRecognizer()])
    return AnalyzerEngine(registry, engine, supported_languages=["en"])


def missing(model: str, what: str) -> SystemExit:
    """The stop for what is not installed."""
    return stop(f"params.yaml: collect.redact: name and address need {what}; run `{INSTALL} {model}`, or keep them")
