"""A domain pack: what the generated rows of one domain are about, how they are said, and the words they are made of.

A pack is one YAML file of data/packs. A template in it knows plain {fields} only, and every field is a slot of `words`, or
a field of a slot whose values are mappings, of which one is drawn whole: so what belongs together stays together.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.params import stop, typed
from stages.text.templates import FIELD

STYLE = "style"
"""The axis that every pack has: how a template speaks."""
OWN = ("method", "facts")
"""What `generate` itself says in a row's `extra`."""

Values = Annotated[list[str], Limits(min_length=1)]
Slot = Annotated[list[str | dict[str, str]], Limits(min_length=1)]
"""The values of a slot: texts, or mappings whose fields belong together."""


class Turn(Struct, forbid_unknown_fields=True, frozen=True):
    """A further question after the answer, and its answer."""

    say: Values
    answer: Values


class Way(Struct, forbid_unknown_fields=True, frozen=True):
    """One thing to ask about a topic: how each style says it, what is answered, and what may be asked then."""

    say: dict[str, Values]
    answer: Values
    then: list[Turn] = []
    axes: Annotated[dict[str, str], Limits(description="values of axes beside style that hold of this way")] = {}


class Topic(Struct, forbid_unknown_fields=True, frozen=True):
    """What some of the rows are about, and how many of all."""

    ways: Annotated[list[Way], Limits(min_length=1)]
    about: Annotated[str, Limits(description="what is asked, for a model")] = ""
    count: Annotated[int, Limits(ge=1, description="share of the rows, against the counts of the other topics")] = 1
    tool: str | None = None
    call: Annotated[dict[str, Any], Limits(description="the arguments of the call")] = {}
    result: Annotated[dict[str, Any], Limits(description="what the tool gives back")] = {}
    extra: Annotated[dict[str, str], Limits(description="fields of the row's extra beside the pack's")] = {}


class Pack(Struct, forbid_unknown_fields=True, frozen=True):
    """One domain."""

    about: Annotated[str, Limits(description="the domain in one phrase", min_length=1)]
    axes: Annotated[dict[str, Values], Limits(description="what is varied; `style` is how templates speak")]
    topics: Annotated[dict[str, Topic], Limits(min_length=1)]
    words: Annotated[dict[str, Slot], Limits(description="what fields are filled with, drawn value by value")]
    system: Annotated[str | None, Limits(description="the system turn; that of the topic's seed when absent")] = None
    facts: Annotated[bool, Limits(description="answers state facts that somebody must check")] = False
    seeds: Annotated[
        bool, Limits(description="each topic has the form of a seed record: its tools, its system turn")
    ] = True
    extra: Annotated[dict[str, str], Limits(description="fields of each row's extra")] = {}

    @property
    def counts(self) -> dict[str, int]:
        """The count of each topic."""
        return {name: topic.count for name, topic in self.topics.items()}


NAMED: dict[str, Any] = {"axes": Values, "topics": Topic, "words": Slot}
"""What the sections of a pack map names to."""


def pack_of(given: dict[str, Any], file: str) -> Pack:
    """The pack that a file holds, or a stop that names the file and the key."""
    for section, expected in NAMED.items():
        for name, each in typed(given.get(section, {}), dict, section, file).items():
            typed(each, expected, f"{section}.{name}", file)
    pack = typed(given, Pack, "", file)
    for problem in problems(pack):
        raise stop(f"{file}: {problem}")
    return pack


def problems(pack: Pack) -> Iterator[str]:
    """Where a pack contradicts itself, each `<key>: <what>; <what to do>`."""
    if STYLE not in pack.axes:
        yield f"axes.{STYLE} is missing; name the ways in which templates speak"
        return
    yield from slot_problems(pack.words)
    for name, topic in pack.topics.items():
        yield from topic_problems(pack, f"topics.{name}", topic)
    known = {field for fields in slots(pack.words).values() for field in fields}
    for place, template in templates(pack):
        for field in FIELD.findall(template):
            if field not in known:
                yield f"{place}: {{{field}}} is not under words; mend the name or add it"


def slot_problems(words: dict[str, Slot]) -> Iterator[str]:
    """A slot whose values have different fields, or a field of two slots."""
    owner: dict[str, str] = {}
    for slot, values in words.items():
        fields = [set(value) if isinstance(value, dict) else {slot} for value in values]
        if odd := next((place for place, each in enumerate(fields) if each != fields[0]), None):
            wrong = min(fields[odd] ^ fields[0])
            yield f"words.{slot}[{odd}]: {wrong} is not in all values of the slot; give every value the same fields"
        for field in sorted(fields[0]):
            if owner.setdefault(field, slot) != slot:
                yield f"words.{slot}: {field} is a field of words.{owner[field]} too; rename one"
            if not FIELD.fullmatch(f"{{{field}}}"):
                yield f"words.{slot}: {field!r} is not a-z and _; rename it"


def topic_problems(pack: Pack, place: str, topic: Topic) -> Iterator[str]:
    """A style that a way is not said in or that no axis knows, an unknown axis or value, or half of a tool call."""
    styles = set(pack.axes[STYLE])
    if (topic.tool is None) and (topic.call or topic.result):
        yield f"{place}.tool is missing; name the tool that is called"
    if topic.tool is not None and not pack.seeds:
        yield f"{place}.tool: no seed defines {topic.tool}; say seeds: true, and show its definition in a seed"
    for number, way in enumerate(topic.ways):
        here = f"{place}.ways[{number}]"
        if missing := styles - set(way.say):
            yield f"{here}.say: nothing is said in the style {min(missing)}; add it"
        if unknown := set(way.say) - styles:
            yield f"{here}.say.{min(unknown)}: is not in axes.{STYLE}; mend the name or add it there"
        for axis, value in way.axes.items():
            if axis == STYLE or value not in pack.axes.get(axis, []):
                yield f"{here}.axes.{axis}: {value!r} is not a value of axes.{axis}; mend it or add it there"


def templates(pack: Pack) -> Iterator[tuple[str, str]]:
    """Every template of a pack, and its key."""
    yield from inside(pack.extra, "extra")
    for name, topic in pack.topics.items():
        at = f"topics.{name}"
        yield from inside([topic.call, topic.result, topic.extra], at)
        for number, way in enumerate(topic.ways):
            then = [[turn.say, turn.answer] for turn in way.then]
            yield from inside(way.say, f"{at}.ways[{number}].say")
            yield from inside(way.answer, f"{at}.ways[{number}].answer")
            yield from inside(then, f"{at}.ways[{number}].then")


def inside(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """The texts in a structure, each with the key of where it stands."""
    if isinstance(value, str):
        yield place, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from inside(each, f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}")


def slots(words: dict[str, Slot]) -> dict[str, list[str]]:
    """The fields that each slot fills."""
    return {slot: sorted(values[0]) if isinstance(values[0], dict) else [slot] for slot, values in words.items()}


def shares(count: int, weights: dict[str, int]) -> dict[str, int]:
    """`count` shared in proportion to the weights: whole numbers, what is left to the largest remainders."""
    total = sum(weights.values())
    parts = {name: divmod(count * weight, total) for name, weight in sorted(weights.items())}
    left = count - sum(whole for whole, _ in parts.values())
    ahead = sorted(parts, key=lambda name: -parts[name][1])[:left]
    return {name: whole + (name in ahead) for name, (whole, _) in parts.items()}
