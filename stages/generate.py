"""Write new examples from a template grammar, in the form of the seeds: offline, and each unlike the others.

The grammar names, for each operation, ways to say it by style, the tool call and the answer; the seeds give the system turn
and the tools, so that what is generated looks like production. Two rows as alike as dedup.floor are never both written.
"""

from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import Annotated, Any

from msgspec import Meta as Limits
from msgspec import Struct

from stages.contract.params import stop, typed, value
from stages.contract.record import Message, Record, draw, encode, joined
from stages.contract.run import run_rows
from stages.formats import openai
from stages.text.templates import filled

REASONS: dict[str, str] = {}
RECALL = 0.999  # of pairs at the floor that are looked at
GRAMMAR = "generate.grammar"
TRIED = 4  # candidates per row that is asked for


class Params(Struct, forbid_unknown_fields=True, frozen=True):
    """How much, and from what."""

    seeds: Annotated[str, Limits(description="the source whose records show the form")]
    grammar: Annotated[str, Limits(description="file of templates and words")]
    count: Annotated[int, Limits(ge=0, description="rows to write")] = 200


class Operation(Struct, forbid_unknown_fields=True):
    """How one operation is said, called and answered."""

    tool: str
    say: dict[str, list[str]]
    call: dict[str, Any]
    result: dict[str, Any]
    answer: list[str]


class Grammar(Struct, forbid_unknown_fields=True):
    """The file of templates and words: every operation is said in every style."""

    styles: list[str]
    operations: dict[str, Operation]
    words: dict[str, list[str]]

    def __post_init__(self) -> None:
        if not (self.styles and self.operations and all(self.words.values())):
            raise ValueError("styles, operations or one of the words has nothing to choose from")
        for name, operation in self.operations.items():
            if unsaid := set(self.styles) - set(operation.say):
                raise ValueError(f"operation {name} is not said in the style {min(unsaid)}")


def make(records: Iterable[Record], params: Params, seed: int, grammar: dict[str, Any]) -> list[dict[str, Any]]:
    """The first `count` candidates that are unlike the seeds and each other."""
    typed(grammar, Grammar, "", params.grammar)
    examples = list(records)
    seeds = {record.meta.topic: record for record in examples}
    missing = [operation for operation in grammar["operations"] if operation not in seeds]
    if missing:
        raise stop(
            f"params.yaml: generate.seeds: no seed has the topic {missing[0]}; "
            f"add an example to {params.seeds} or take it out of the grammar"
        )
    candidates = list(islice(rows(seeds, grammar, seed), TRIED * params.count))
    unlike = list(islice(novel(candidates, [joined(record.messages) for record in examples]), params.count))
    if len(unlike) < params.count:
        raise stop(
            f"{params.grammar}: gives only {len(unlike)} rows unlike each other, generate.count asks for {params.count}; "
            "add words or ways to say it"
        )
    return unlike


def rows(seeds: dict[str | None, Record], grammar: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Endless candidates: operations and styles in turn, words drawn for each."""
    turns = list(product(*(sorted(part) for part in (grammar["operations"], grammar["styles"]))))
    number = 0
    while True:
        operation, style = turns[number % len(turns)]
        words = {slot: pick(found, seed, slot, number) for slot, found in sorted(grammar["words"].items())}
        yield row(seeds[operation], grammar["operations"][operation], style, words, seed, number) | {"topic": operation}
        number += 1


def pick(choices: list[Any], seed: int, *what: Any) -> Any:
    """One of the choices, by a keyed hash."""
    return choices[int(draw(seed, "generate", *what) * len(choices))]


def row(
    example: Record, ways: dict[str, Any], style: str, words: dict[str, Any], seed: int, number: int
) -> dict[str, Any]:
    """One conversation: the request, the call, its result and the answer."""
    said = filled(pick(ways["say"][style], seed, "say", number), words, GRAMMAR)
    arguments, result = filled(ways["call"], words, GRAMMAR), filled(ways["result"], words, GRAMMAR)
    called = {
        "function": {"name": ways["tool"], "arguments": encode(arguments).decode()},
        "id": "call",
        "type": "function",
    }
    messages = [
        *(openai.written(message) for message in example.messages if message.role == "system"),
        {"role": "user", "content": said[:1].upper() + said[1:]},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call", "content": encode(result).decode()},
        {"role": "assistant", "content": filled(pick(ways["answer"], seed, "answer", number), words, GRAMMAR)},
    ]
    return {"messages": messages, "tools": example.tools, "style": style}


def novel(candidates: list[dict[str, Any]], seen: list[str]) -> Iterator[dict[str, Any]]:
    """The candidates that are less alike than dedup.floor to the seen texts and to each candidate before."""
    from stages.text.near import Bounds, near_texts

    floor = value("dedup.floor", float)
    texts = [*seen, *map(text, candidates)]
    alike = near_texts(texts, Bounds(floor, floor, RECALL, len(texts)))
    return (each for each, survivor in zip(candidates, alike.survivor[len(seen) :], strict=True) if survivor < 0)


def text(candidate: dict[str, Any]) -> str:
    """The candidate's text as dedup will compare it."""
    messages: list[Message] = openai.messages(candidate["messages"])
    return joined(messages)


if __name__ == "__main__":
    run_rows(make)
