"""docs/troubleshooting.md: what one sees, which number tells, what to type. `make docs` writes it.

What the health rules of the report look for is taken from them; the rest is known trouble that no number alone finds.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from stages.contract import profiles
from stages.contract.params import typed
from stages.contract.paths import METRICS
from stages.reporting import health

FILE = Path(__file__).parents[1] / "docs/troubleshooting.md"


class Trouble(Struct, frozen=True):
    """One symptom: its usual cause, the number to look at (a path in the metrics), the command to type, and the cure."""

    symptom: str
    cause: str
    number: str
    command: str
    cure: str


PITFALLS = (
    Trouble(
        "the model is right on the evaluation set and wrong in use",
        "evaluation rows, or copies of them, are in training",
        "stages.decontaminate.dropped",
        "dataset show --stage decontaminate",
        "freeze the evaluation set first; lower `decontaminate.words` to catch shorter overlaps",
    ),
    Trouble(
        "validation loss is far below what new prompts give",
        "near-duplicates stand on both sides of a split",
        "stages.split.dropped",
        "dataset show --stage split",
        "lower `split.near` (and `dedup.floor` with it); declare `subject_field`, so that one person stays in one split",
    ),
    Trouble(
        "the model repeats part of the prompt as its answer",
        "label leakage: the reply stands in the prompt",
        "stages.filter.reasons.reply_repeats_prompt",
        "dataset show --reason reply_repeats_prompt",
        "take the source out, or cut the answer out of its prompts; a copied part is not found, read a sample",
    ),
    Trouble(
        "good on common questions, lost on yours",
        "the mix of topics is not that of production",
        "topics",
        "dataset try balance --set max_per_topic=200",
        "set `topic_field` and caps to the shares you expect; add a source for what is rare",
    ),
    Trouble(
        "everything sounds alike",
        "one source or template makes up most of the data (topic concentration, low diversity)",
        "topic_imbalance",
        "dataset show --source NAME",
        "set `balance.max_per_topic` or `balance.max_per_source`, lower `generate.count`, add human data",
    ),
    Trouble(
        "answers are too long, or too short",
        "length bias: the replies in training are",
        "reply_tokens.median",
        "dataset whatif filter.length.max_reply_tokens=512",
        "move `filter.length`; in preference pairs check that the chosen reply is not always the longer one",
    ),
    Trouble(
        "the format is followed and the question is not",
        "format overfitting: every example has the same form",
        "prompt_tokens.p90_over_p10",
        "dataset show --split train --limit 20",
        "add other phrasings and other tasks; mix sources of several shapes",
    ),
    Trouble(
        "old facts, old names",
        "recency the wrong way round: the batches of one time make up most of the data",
        "sources",
        "dataset show --source NAME --json",
        "declare `created_field`; put newer batches into the source's folder, and cap the old with `balance.max_per_source`",
    ),
    Trouble(
        "better on the test split than on next month's questions",
        "temporal leakage: training holds rows from after those it is tested on",
        "sources",
        "dataset show --split test --json",
        "make the evaluation set of the newest rows, take their time out of the sources, and `dataset freeze` it",
    ),
    Trouble(
        "the same question has two answers",
        "annotators, or two models, did not agree",
        "scores.mean",
        "dataset show --source NAME",
        "declare `rating_field` and `method`, so that the better one survives; write down how to answer, and label again",
    ),
    Trouble(
        "labels are wrong",
        "nobody read them",
        "scores.below_3_share",
        "dataset show --stage judge",
        "read 200 rows by hand; raise `judge.threshold`; take a source with many wrong ones out",
    ),
    Trouble(
        "an answer is biased, or rude",
        "the source is, and `toxicity` is not measured by default",
        "languages",
        "dataset show --source NAME --limit 50",
        "take `toxicity` out of `measure.skip`, put it under `filter`; read a sample of every source; show how to refuse",
    ),
    Trouble(
        "answers obey text that stands in the data",
        "records give orders to a model, or a role to play without rules",
        "noticed",
        "dataset whatif filter.injection.action=drop",
        "read what would fall; if it looks right, set `filter.injection.action` to `drop`",
    ),
    Trouble(
        "training does not converge, or loss is flat",
        "wrong format, empty or cut replies, far too few rows",
        "dataset.examples",
        "dataset inspect PATH",
        "look at the first records; check that the trainer reads `data/curated` or the export you gave it",
    ),
    Trouble(
        "outputs are poor though loss is low",
        "the data is: short, vague or copied replies",
        "scores.mean",
        "dataset whatif judge.threshold=4.5",
        "raise `judge.threshold`; train on 100 hand-picked rows first and add only what helps",
    ),
    Trouble(
        "there is no dataset at all",
        "no row of a source became a record",
        "input.format_errors",
        "dataset inspect PATH",
        "name the columns with `fields`, or set `shape`",
    ),
    Trouble(
        "rows are missing",
        "a stage dropped them, and says why",
        "accounting.problems",
        "dataset show --dropped",
        "look the id up with `dataset show --id ID`; try a softer rule with `dataset try STAGE --set KEY=VALUE`",
    ),
    Trouble(
        "too few examples are left",
        "one rule takes most of them",
        "top_reasons",
        "dataset show --reason REASON --limit 20",
        "if its drops look good to you, move the rule; else add data, or raise `generate.count`",
    ),
    Trouble(
        "rows in another language are gone",
        "`filter.language.allowed` names only some",
        "stages.filter.reasons.wrong_language",
        "dataset whatif filter.language.allowed=[en,de]",
        "add the language; the rule looks at prompt and reply, so translations need both",
    ),
    Trouble(
        "tool calls fail in use",
        "names or arguments in training do not fit the tools",
        "stages.filter.reasons.unknown_argument",
        "dataset show --reason unknown_argument",
        "give every record its `tools`; mend the rows that the drops name",
    ),
    Trouble(
        "preferences do not train: loss stays where it starts",
        "pairs contradict each other, or their endings differ in nothing but length",
        "answers.contradictory_pairs",
        "dataset try dedup --set contradictions=drop",
        "read `contradictory_pairs` and `preference_cycle` in data/unresolved.jsonl; set `filter.pairs.max_length_ratio`",
    ),
    Trouble(
        "the model may not be sold, or published",
        "a licence, or the terms of the model that wrote some rows, forbids it",
        "terms",
        "dataset try filter --set licence.unknown=drop",
        "state `licence_field` and `model_field`; let out with `export.licences` only what may go",
    ),
    Trouble(
        "personal data is in an answer",
        "a kind that is kept, or a spelling that no form knows; names and addresses need a model",
        "personal_data",
        "dataset drill",
        "set the kind to placeholder or drop in `collect.redact`; take the source out if it is about people",
    ),
    Trouble(
        "`dvc repro` runs everything though one value moved",
        "code or params of an early stage changed",
        "stages",
        "dvc status",
        "put rules into `filter`, not `measure`; what was measured is kept as long as `measure` and the checks are the same",
    ),
    Trouble(
        "a colleague gets other numbers",
        "another Python, other libraries, or a branch merged by hand",
        "dataset.examples",
        "dataset status",
        "`make run` installs the lock; merge with `dataset merge BRANCH`",
    ),
)
COMMANDS = {
    "prompt_tokens.p90_over_p10": "dataset whatif filter.length.max_prompt_tokens=1000",
    "reply_tokens.median": "dataset whatif filter.length.min_reply_tokens=20",
    "topic_imbalance": "dataset try balance --set max_per_topic=200",
    "scores.below_3_share": "dataset show --stage judge",
    "input.duplicate_share": "dataset show --stage dedup",
    "dataset.examples": "dataset status",
    "input.records": "dataset show --limit 50",
}
"""What to type first when a health rule does not hold, by its metric."""
HEAD = """\
# Troubleshooting

The numbers are in `{metrics}` and, in words, in `reports/report.html`. What the gate finds, `dataset gate` explains itself.
Written by `make docs`.

## What the report's health table finds

The ranges are those of the profile `{profile}`; the others are in [profiles.md](profiles.md). `dataset health` tells yours.

| number | good | a warning | what it tells | type | what to do |
|---|---|---|---|---|---|
"""
SECOND = """
## What one sees

| symptom | usual cause | number to look at | type | what to do |
|---|---|---|---|---|
"""


def lines() -> Iterator[str]:
    """The tables, row by row."""
    yield HEAD.format(metrics=METRICS, profile=profiles.DEFAULT)
    ranges = typed(profiles.values(profiles.DEFAULT)["health"], health.Params, "health")
    for rule in health.rules(ranges):
        action = rule.action.replace("below", "in the report")
        cells = (f"`{rule.metric}`", health.good(rule), rule.warn, rule.symptom, f"`{COMMANDS[rule.metric]}`", action)
        yield row(*cells)
    yield SECOND
    for each in PITFALLS:
        yield row(each.symptom, each.cause, f"`{each.number}`", f"`{each.command}`", each.cure)


def row(*cells: str) -> str:
    """One row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\u00a0", " ") for cell in cells) + " |\n"


def text() -> str:
    """The whole page."""
    return "".join(lines())


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
