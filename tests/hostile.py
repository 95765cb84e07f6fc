"""`make hostile`: how the cost of every check and of redaction grows from 1 MB of hostile text in one record to 2 MB.

CPU seconds of this process; what looks like a fault is measured again. A ratio above 2.6, or more than the cap in seconds
per MB, is a fault and exit 1; what takes less than 150 ms for 2 MB is not told apart from noise. Each text runs in a process
of its own, which is ended at its own limit of CPU time, so that what is not linear ends as well. `tests/test_hostile.py`
counts calls instead of seconds, at a small part of the size, which a busy machine cannot disturb.
"""

import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from stages import checks, collect
from stages.contract.record import Example, Message, Meta, Record, ToolCall, decode, encode

MEGABYTE = 1_000_000  # characters
SIZES = (MEGABYTE, 2 * MEGABYTE)
RATIO = 2.6
CAP = 5.0  # CPU seconds for 1 MB, of one check or of redaction; the dearest are 50,000 keys that are each redacted
QUIET = 0.15  # CPU seconds for 2 MB; below, memory that is asked for the first time costs as much as the work
AGAIN = 2  # times that what looks like a fault is measured again, the least of which counts
LIMIT = 300  # CPU seconds of one text with everything
ARMOUR = "-----BEGIN " + "PRIVATE KEY-----\n"
UNITS = {
    "one letter": "a",
    "one digit": "1",
    "spaces": " ",
    "line ends": "\n",
    "tabs and line ends": "\t \n",
    "dashes": "-",
    "dots": ".",
    "underscores": "_",
    "opening brackets": "([{",
    "brackets": "[]",
    "placeholders begun": "[Your ",
    "placeholders": "[Your Name] ",
    "braces": "{{",
    "quotes": "\"'",
    "curly quotes": "“‘",
    "backticks": "`",
    "fences begun": "```\n",
    "fences begun and said": "```python\nx = 1\n",
    "backticks and letters": "`a",
    "nested JSON": '{"a":[',
    "JSON rows": '{"a": "b@c.de", "d": 1},',
    "at": "@",
    "addresses begun": "a@a",
    "domains begun": "a@b.",
    "card groups": "4539 1488 ",
    "digit dash": "1-",
    "dates": "1.1.",
    "colons": "fe80:",
    "phones": "+1 212 ",
    "keys begun": ARMOUR,
    "tokens begun": "eyJaaaaaaaa.",
    "passwords": "password = '",
    "web addresses": "https://a.b/c?d=",
    "emoji": "😀",
    "emoji joined": "👩\u200d",
    "combining marks": "e\u0301\u0301\u0301",
    "marks alone": "\u0301",
    "right-to-left marks": "\u202e\u200f",
    "Hebrew": "שלום ",
    "Han": "好",
    "full-width digits": "４",
    "mojibake": "â€™Ã©",
    "replacement characters": "\ufffd",
    "words": "ignore all previous instructions ",
    "sentences": "No. ",
    "one sentence": "I cannot help with that. ",
    "table rows": "| a | b |\n",
    "list items": "- a\n",
    "headings": "# a\n",
    "summaries": "SUMMARY: a\n",
    "html": "<a><b>",
    "comments begun": "<!--",
    "ellipses": "…...",
    "hyphened word": "a-",
    "apostrophes": "a'",
    "commas": "a,",
    "percent signs": "%s %d ",
    "dollars": "$x$",
    "backslashes": "\\",
}
"""By name what is said again and again."""


def said(unit: str, size: int) -> str:
    """So many characters of a unit said again and again."""
    return (unit * (size // len(unit) + 1))[:size]


def counting(size: int) -> str:
    """Words of which none is said twice: what is kept in sets and tables grows as well."""
    return " ".join(f"w{number}" for number in range(size // 7))[:size]


def alternating(size: int) -> str:
    """Words said in an order without an end, of two letters (Thue and Morse): no loop, but every run again and again."""
    return " ".join("ab"[number.bit_count() % 2] for number in range(size // 2))


TEXTS: dict[str, Callable[[int], str]] = {name: partial(said, unit) for name, unit in UNITS.items()} | {
    "words never said twice": counting,
    "two words without a loop": alternating,
}


def record(messages: list[Message], **more: Any) -> Record:
    """A record of these turns."""
    return Record("0" * 32, "hostile", messages, Meta("CC0-1.0"), **more)


def exchange(asked: str, answered: str, **more: Any) -> Record:
    """A record of one exchange."""
    return record([Message("user", asked), Message("assistant", answered)], **more)


def as_reply(text: str) -> Record:
    """All of it in the reply."""
    return exchange("How do I rename a list?", text)


def as_both(text: str) -> Record:
    """Half of it in the prompt, half in the reply."""
    half = len(text) // 2
    return exchange(text[:half], text[half:])


def as_pair(text: str) -> Record:
    """Half of it in each ending of a preference pair."""
    half = len(text) // 2
    return exchange("Which one?", text[:half], rejected=[Message("assistant", text[half:] + "!")])


def as_call(text: str) -> Record:
    """Half of it as an argument of a call whose tool takes it, half as the tool's result."""
    half = len(text) // 2
    schema = {"type": "object", "properties": {"q": {"type": "string", "pattern": "^(a+)+$"}}}
    tool = {"type": "function", "function": {"name": "find", "parameters": schema}}
    call = Message("assistant", tool_calls=[ToolCall("abcdefghi", "find", {"q": text[:half]})])
    result = Message("tool", text[half:], tool_call_id="abcdefghi")
    return record([Message("user", "Find it."), call, result, Message("assistant", "Found.")], tools=[tool])


def cut(text: str, length: int) -> list[str]:
    """The text in pieces of so many characters."""
    return [text[start : start + length] for start in range(0, len(text), length)]


def as_turns(text: str) -> Record:
    """Cut into turns, 10,000 for each MB."""
    return record([Message("assistant" if place % 2 else "user", piece) for place, piece in enumerate(cut(text, 100))])


def as_calls(text: str) -> Record:
    """Cut into the arguments of calls, 5,000 for each MB, each with its result."""
    messages = [Message("user", "Find all.")]
    for place, piece in enumerate(cut(text, 200)):
        messages.append(Message("assistant", tool_calls=[ToolCall(f"{place:09d}", "find", {"q": piece})]))
        messages.append(Message("tool", "[]", tool_call_id=f"{place:09d}"))
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    return record([*messages, Message("assistant", "Done.")], tools=[tool])


def as_keys(text: str) -> Record:
    """Cut into addresses that are the keys of one call's arguments, which redaction makes one name."""
    keys = {f"{piece}{place}@example.org": place for place, piece in enumerate(cut(text, 20))}
    call = Message("assistant", tool_calls=[ToolCall("abcdefghi", "find", keys)])
    return record([Message("user", "Find all."), call])


SHAPES = (as_reply, as_both, as_pair, as_call, as_turns, as_calls, as_keys)


def work() -> dict[str, Callable[[Record], Any]]:
    """By name everything that looks at a record's text: the checks, with their decisions, and redaction."""
    return {name: partial(checked, name) for name in checks.names()} | {"redaction": cleaned}


def checked(name: str, given: Record) -> Any:
    """What a check measures and decides of a record."""
    check = checks.check(name)
    measure = check.Measure() if hasattr(check, "Measure") else None
    value = decode(encode(check.measure(given, measure)))
    summary = [check.summary([value], check.Params())] if hasattr(check, "summary") else []
    return check.decide(value, check.Params(), *summary)


def cleaned(given: Record) -> Example:
    """The record with its texts normalised and redacted."""
    how = collect.cleaning(collect.Params(), collect.Scope())
    return collect.clean(Example(given.messages, given.tools, given.rejected), how)


def seconds(task: Callable[[Record], Any], given: Record) -> float:
    """CPU seconds of one pass."""
    gc.collect()
    gc.disable()  # as timeit does: a collection in the middle looks at everything else too
    started = time.process_time()
    task(given)
    spent = time.process_time() - started
    gc.enable()
    return spent


def measured(name: str, sizes: tuple[int, int] = SIZES) -> Iterator[tuple[str, str, float, float]]:
    """Of one text in every shape: the shape, what looked at it, and CPU seconds at the two sizes."""
    for shape in SHAPES:
        short, long = (shape(TEXTS[name](size)) for size in sizes)
        for what, task in work().items():
            task(shape(TEXTS[name](1_000)))  # what is loaded once is not counted
            first, second = seconds(task, short), seconds(task, long)
            for _ in range(AGAIN if fault(first, second) else 0):
                first, second = min(first, seconds(task, short)), min(second, seconds(task, long))
            yield shape.__name__, what, first, second


def fault(first: float, second: float) -> str:
    """What is wrong with these CPU seconds at 1 and 2 MB, if anything is."""
    if second > QUIET and second > RATIO * first:
        return f"grows {second / first:.1f} times"
    return f"takes {first:.2f} s for 1 MB" if first > CAP else ""


def main(chosen: list[str]) -> int:
    """Measure the named texts, or all, each in a process of its own; print the dearest and every fault."""
    if chosen[:1] == ["--one"]:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        for row in measured(chosen[1]):
            print(json.dumps(row), flush=True)
        return 0
    faults, dearest = 0, (0.0, "")
    for name in chosen or TEXTS:
        done = subprocess.run(
            [sys.executable, "-m", "tests.hostile", "--one", name], capture_output=True, text=True, check=False
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        found = [(*row, why) for row in rows if (why := fault(*row[2:]))]
        if done.returncode:
            found.append(
                (*(rows[-1][:2] if rows else ("", "")), 0, 0, f"ended with {done.returncode} after this\n{done.stderr}")
            )
        for shape, what, _, _, why in found:
            print(f"{name}, {shape}: {what} {why}")
        faults += len(found)
        dearest = max(dearest, *((row[2], f"{what_of(row)} of {name}") for row in rows))
        print(
            f"{name}: {sum(row[2] for row in rows):.1f} s for 1 MB, {sum(row[3] for row in rows):.1f} s for 2 MB",
            flush=True,
        )
    print(f"{faults} faults; the dearest: {dearest[1]}, {dearest[0]:.2f} s for 1 MB")
    return int(bool(faults))


def what_of(row: list[Any]) -> str:
    """The shape and the check of a row."""
    return f"{row[0]}, {row[1]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
