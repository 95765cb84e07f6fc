"""Drop what overlaps the frozen evaluation set: eight words in a row, or the whole of a shorter question.

The evidence names the evaluation row and the words, so that a false alarm can be told from a leak. The training record goes;
the evaluation set is never changed.
"""

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract import gold
from stages.contract.params import value
from stages.contract.record import Drop, Example, Record, conversation, ending, joined
from stages.contract.run import Decision, run_on_all
from stages.formats import openai
from stages.text.normalise import normalise
from stages.text.personal_data import Kind, redact
from stages.text.shingles import word_runs, words

REASONS = {"in_evaluation_set": "shares a run of decontaminate.words words with a row of the evaluation set"}


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """What counts as an overlap."""

    words: Annotated[int, Limits(ge=3, description="words in a row")] = 8


class Index(Struct):
    """Runs of words of the evaluation set, and its questions that are shorter than a run; each with its row, from 1."""

    runs: dict[tuple[str, ...], int]
    questions: dict[tuple[str, ...], int]


def prepare(params: Params) -> Index:
    """The index of the pinned evaluation set."""
    kinds, region = value("collect.redact", tuple[Kind, ...]), value("collect.phone_region", str)
    straight = value("collect.quotes", str) == "straight"
    examples = gold.read_with(openai.read, gold.rows())
    return index(examples, params.words, lambda text: redact(normalise(text, straight), kinds, region)[0])


def index(examples: list[Example], length: int, clean: Callable[[str], str] = str) -> Index:
    """Where each run of words, and each short question, stands first: as it is, and as `collect` would have cleaned it."""
    found = Index({}, {})
    for number, example in reversed(list(enumerate(examples, 1))):
        asked = joined(example.messages[: ending(example.messages)])
        for version in (str, clean):
            found.runs |= dict.fromkeys(word_runs(version(joined(example.messages)), length), number)
            question = tuple(words(version(asked)))
            if 0 < len(question) < length:
                found.questions[question] = number
    return found


def measure(record: Record, params: Params, found: Index) -> dict[str, Any] | None:
    """The first run of words that stands in the evaluation set, with the row it stands in; None if there is none."""
    text = conversation(record)
    if not found.runs.keys().isdisjoint(word_runs(text, params.words)):
        run = next(run for run in word_runs(text, params.words) if run in found.runs)
        return {"source": record.source, "row": found.runs[run], "words": " ".join(run)}
    asked = tuple(words(joined(record.messages[: ending(record.messages)]))) if found.questions else ()
    if asked in found.questions:
        return {"source": record.source, "row": found.questions[asked], "words": " ".join(asked)}
    return None


def decide(facts: dict[str, Any], params: Params, found: Index) -> Decision:
    """A drop for every overlap."""
    return Decision(
        [
            Drop(
                identifier,
                fact["source"],
                "decontaminate",
                "in_evaluation_set",
                {"row": fact["row"], "words": fact["words"]},
            )
            for identifier, fact in facts.items()
            if fact
        ]
    )


if __name__ == "__main__":
    run_on_all(measure, decide)
