"""What people say of replies: `data/ratings/*.jsonl`, a reply that raters scored or two that they compared in each line.

The rows are the user's own gold: read strictly, because a judge is measured against them.
"""

from collections import Counter
from statistics import fmean
from typing import Annotated, Any, Literal

from msgspec import Meta as Limits
from msgspec import Struct

from stages import collect
from stages.checks.structure import REASONS, turn_fault
from stages.contract import gold, paths
from stages.contract.params import of_stage, stop, typed
from stages.contract.record import Example as Shaped
from stages.contract.record import Fault, Meta, Record, content_id, ending
from stages.contract.source import Row, value_of
from stages.formats import openai, preference
from stages.reporting.calibration import files
from stages.text.personal_data import Scope, placeholders, rules

OVERALL = "overall"
SOURCE = "ratings"
Name = Annotated[str, Limits(min_length=1)]
Score = Annotated[float, Limits(ge=1, le=5, description="from 1, useless, to 5, excellent")]
Better = Literal["first", "second", "tie"]
Messages = Annotated[
    list[dict[str, Any]], Limits(min_length=1, description="OpenAI messages, the last of them the reply")
]
Tools = Annotated[list[dict[str, Any]], Limits(description="JSON Schema definitions, as in OpenAI's form")]


class Rated(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A reply that people scored."""

    messages: Messages
    ratings: Annotated[
        dict[Name, Annotated[dict[Name, Score], Limits(min_length=1)]],
        Limits(min_length=1, description="by rater: the score of each dimension of the rubric, and of `overall`"),
    ]
    tools: Tools = []


class Compared(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Two replies that people compared: the first ends `messages`, the second stands in `rejected`."""

    messages: Messages
    rejected: Messages
    preferred: Annotated[
        dict[Name, Better], Limits(min_length=1, description="by rater: first is the ending of `messages`")
    ]
    tools: Tools = []


class Example(Struct):
    """A row as it is judged: where it stands, the record, and each rater's scores."""

    where: str
    record: Record
    ratings: dict[str, dict[str, float]]

    def of_rater(self, rater: str, dimension: str) -> float | None:
        """One score, if it was given."""
        return self.ratings.get(rater, {}).get(dimension)

    def mean(self, dimension: str) -> float | None:
        """The mean of all raters' scores; None if nobody gave one."""
        given = [scores[dimension] for scores in self.ratings.values() if dimension in scores]
        return fmean(given) if given else None


class Pair(Struct):
    """Two replies as they are compared, and each rater's choice."""

    where: str
    record: Record
    preferred: dict[str, Better]

    @property
    def wanted(self) -> Better | None:
        """What more raters say than anything else; None if they do not agree."""
        (first, most), *others = Counter(self.preferred.values()).most_common()
        return None if others and others[0][1] == most else first


class Ratings(Struct):
    """All rows."""

    examples: list[Example]
    pairs: list[Pair]

    @property
    def raters(self) -> list[str]:
        """Everybody who scored a reply."""
        return sorted({rater for example in self.examples for rater in example.ratings})

    @property
    def dimensions(self) -> list[str]:
        """What was scored, `overall` first."""
        found = {name for each in self.examples for scores in each.ratings.values() for name in scores}
        return sorted(found, key=lambda name: (name != OVERALL, name))


def read() -> Ratings:
    """The rows of all files; a stop at the first that cannot be read, and at one that stands there twice."""
    found = Ratings([], [])
    seen: dict[str, str] = {}
    for path in files():
        for row in gold.lines_of(path, f"{paths.RATINGS}/{path.name}"):
            each = read_row(row)
            before = seen.setdefault(each.record.id, each.where)
            if before != each.where:
                raise stop(f"{each.where}: is the same as {before}; put both rows' raters into one")
            if isinstance(each, Pair):
                found.pairs.append(each)
            else:
                found.examples.append(each)
    return found


def read_row(row: Row) -> Example | Pair:
    """One row; a stop names its file and line and what is wrong."""
    try:
        given = value_of(row)
    except Fault as fault:
        raise stop(f"{row.origin}: {fault.reason}; mend the line") from None
    try:
        if isinstance(given, dict) and "preferred" in given:
            pair = typed(given, Compared, "", row.origin)
            return Pair(row.origin, record(endings(pair)), pair.preferred)
        said = typed(given, Rated, "", row.origin)
        return Example(row.origin, record(openai.read({"messages": said.messages, "tools": said.tools})), said.ratings)
    except Fault as fault:
        why = " ".join(f"{key} {value}" for key, value in fault.evidence.items())
        raise stop(f"{row.origin}: {fault.reason} {why}".rstrip() + "; mend the row") from None


def endings(said: Compared) -> Shaped:
    """The conversation with its first ending, and the second beside it."""
    roles = [message.get("role") for message in said.messages]
    start = len(roles) - roles[::-1].index("user") if "user" in roles else 0
    chosen = said.messages[start:]
    row = {"prompt": said.messages[:start], "chosen": chosen, "rejected": said.rejected, "tools": said.tools}
    found: Shaped = preference.read(row)
    return found


def record(found: Shaped) -> Record:
    """A record to judge, cleaned as `collect` does, because a model may see it; nothing of it gets into the dataset.

    A Fault if a conversation does not end with a reply.
    """
    asked = found.messages[: ending(found.messages)]
    for turns in (found.messages, [*asked, *(found.rejected or found.messages[len(asked) :])]):
        if fault := turn_fault(turns):
            raise Fault(REASONS[fault], {})
    given = of_stage("collect", collect.Params)
    shown = collect.clean(found, collect.Cleaning(placeholders(rules(given)), given.quotes == "straight", Scope()))
    made = Record("0" * 32, SOURCE, shown.messages, Meta("unknown"), shown.tools, shown.rejected)
    made.id = content_id(made)
    return made
