"""A model that writes what stages/generation asks for, well: tests spoil it. It reads the request as a model would."""

import json
import re
from random import Random
from typing import Any

SYLLABLES = ("ba", "do", "fi", "gu", "ke", "lo", "mi", "nu", "pa", "re", "si", "to", "va", "we", "zu")
LINE = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)


def write(prompt: str) -> str:
    """The reply to any request of generation."""
    if prompt.startswith("Check these"):
        return json.dumps({"items": [{"cell": cell, "reason": "none", "good": "yes"} for cell in cells(prompt)]})
    if prompt.startswith("You are the assistant."):
        return "Open the menu first. " + text(prompt, 12)
    if prompt.startswith("Answer this message"):
        return "Look around a bit. " + text(prompt, 12)
    if prompt.startswith("<data-"):
        return compared(prompt)
    return json.dumps({"items": [item(prompt, cell, line) for cell, line in cells(prompt).items()]})


def cells(prompt: str) -> dict[int, str]:
    """The lines that are asked for: all, or those that are to be written again."""
    first, _, again = prompt.partition("Write these again")
    found = {int(place): line for place, line in LINE.findall(first)}
    wanted = [int(place) for place, _ in LINE.findall(again)] or list(found)
    return {place: found[place] for place in wanted}


def item(prompt: str, cell: int, line: str) -> dict[str, Any]:
    """One item: the longest form that the request asks for."""
    about = f"{prompt[:400]} {cell} {line} {prompt[-200:]}"
    if prompt.startswith("Write") and "new messages of users" in prompt:
        return {"cell": cell, "prompt": text(about, 12)}
    tool = re.search(r"call(?:s|ing) the tool (\w+)", prompt)
    turns = int(match[1]) if (match := re.search(r"Each has (\d+) turns", prompt)) else 2
    long = int(match[1]) if (match := re.search(r"has (\d+) to \d+ words", prompt)) else 10
    messages = []
    for turn in range(0, turns, 2):
        messages.append({"role": "user", "content": text(f"{about} asks {turn}", 10)})
        if tool and not turn:
            argument = "query" if tool[1] == "get_tasks" else "title"
            called = {"name": tool[1], "arguments": json.dumps({argument: text(about, 2)})}
            messages.append({"role": "assistant", "content": "", "calls": [called]})
            messages.append({"role": "tool", "content": json.dumps({"status": "done"})})
        messages.append({"role": "assistant", "content": text(f"{about} says {turn}", long)})
    if re.search(r"^The tools it has.*\n(?:.*:\n)?<data-\w+>\n\[\{", prompt, re.MULTILINE):
        messages = [{"calls": [], **message} for message in messages]
    return {"cell": cell, "messages": messages}


def compared(prompt: str) -> str:
    """An honest judge of two answers: the one that says what to do."""
    shown = json.loads(prompt.splitlines()[1])
    better = next((name for name in "AB" if shown[name].startswith("Open the menu")), "tie")
    return json.dumps({"reasoning": "One says what to do.", "better": better})


def text(about: str, length: int) -> str:
    """Words that no other text has."""
    draw = Random(about)
    return " ".join("".join(draw.choices(SYLLABLES, k=3)) for _ in range(length)).capitalize() + "."
