"""Three versions of params.yaml merged by key, first as data; then our text is edited so that it says just that.

Text is edited and not dumped, because no YAML writer gives this file back byte for byte or keeps its comments where
they stand. What the edited text says is read again and compared with the data.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from msgspec import Struct

from lineage.edit import end_of, is_block
from stages.contract.params import Loader

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "not there"})()
"""The value of a key that a version has not."""
WIDE = 2**31 - 1  # columns; nothing is folded


class Clash(Struct):
    """A key that both sides changed, each in its own way."""

    key: str
    base: str
    ours: str
    theirs: str


class Change(NamedTuple):
    """Lines of our text, from `start` up to `end`, and what stands there instead."""

    start: int
    end: int
    lines: list[str]


class Page:
    """A YAML text with its data, its nodes and its lines."""

    def __init__(self, text: str) -> None:
        loader = Loader(text)
        try:
            self.root = loader.get_single_node()
            self.data = loader.construct_document(self.root) if self.root else None
        finally:
            loader.dispose()
        self.text, self.lines = text, text.split("\n")
        if not isinstance(self.data, dict):
            raise yaml.YAMLError("is not a mapping")


def merge(base: str, ours: str, theirs: str) -> tuple[str, list[Clash], list[str]]:
    """Our text with what only they changed, the keys that clash (ours stands in the text), and the keys taken from them.

    Raises yaml.YAMLError if a version is not YAML or the result cannot be written into our text.
    """
    old, mine, other = Page(base) if base else None, Page(ours), Page(theirs)
    clashes: list[Clash] = []
    taken: list[str] = []
    target = merged(old.data if old else {}, mine.data, other.data, "", clashes, taken)
    if same(mine.data, target):
        return ours, clashes, taken
    blocks = is_block(mine.root) and is_block(other.root)
    changes = list(edits(mine, other, mine.root, other.root, target, base)) if blocks else []
    text = "\n".join(applied(mine.lines, changes))
    if not same(Page(text).data, target):
        raise yaml.YAMLError("is laid out so that the keys of both sides cannot be put into one text")
    return text, clashes, taken


# as data


def merged(base: Any, ours: Any, theirs: Any, key: str, clashes: list[Clash], taken: list[str]) -> Any:
    """The value both sides agree on: a key changed on one side takes that side; of a clash ours is returned."""
    if same(ours, theirs) or same(base, theirs):
        return ours
    mine, other = keyed(ours), keyed(theirs)
    if same(base, ours) and (mine is None or other is None or isinstance(theirs, list)):
        taken.append(key)
        return theirs
    if mine is None or other is None or type(ours) is not type(theirs):
        clashes.append(Clash(key, shown(base), shown(ours), shown(theirs)))
        return ours
    old, result = keyed(base) or {}, {}
    for name in {**mine, **other}:
        place = f"{key}[{name}]" if isinstance(ours, list) else f"{key}.{name}".removeprefix(".")
        before, own, new = (each.get(name, ABSENT) for each in (old, mine, other))
        value = merged(before, own, new, place, clashes, taken)
        if value is not ABSENT:
            result[name] = value
    return list(result.values()) if isinstance(ours, list) else result


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in type too: 1, 1.0 and true are three."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def keyed(value: Any) -> dict[Any, Any] | None:
    """A mapping, or a list of mappings by their `name`, as the rules of the gate are; None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        names = {str(item["name"]): item for item in value}
        return names if len(names) == len(value) else None
    return None


def shown(value: Any) -> str:
    """A value on one line, as YAML writes it."""
    if value is ABSENT:
        return repr(value)
    text: str = yaml.safe_dump(value, default_flow_style=True, width=WIDE, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


# as text


class Entry(NamedTuple):
    """A key or a named item in a text: where the lines before it begin, its own line and column, its end, its value."""

    before: int
    start: int
    end: int
    column: int
    value: yaml.Node


def entries(node: yaml.Node) -> dict[str, Entry]:
    """The entries of a block mapping or of a block list of named items; a comment before the first belongs to the whole."""
    found, first = {}, node.start_mark.line
    pairs = node.value if isinstance(node, yaml.MappingNode) else [(item, item) for item in node.value]
    for key, value in pairs:
        column = key.start_mark.column if key is not value else node.start_mark.column
        end = max(key.start_mark.line + 1, end_of(value))
        found[name_of(key)] = Entry(first, key.start_mark.line, end, column, value)
        first = end
    return found


def name_of(key: yaml.Node) -> str:
    """The name of a key, or of a list's item."""
    if isinstance(key, yaml.MappingNode):
        return next(str(value.value) for name, value in key.value if name.value == "name")
    return str(key.value)


def edits(mine: Page, other: Page, ours: yaml.Node, theirs: yaml.Node, target: Any, base: str) -> Iterator[Change]:
    """What has to change in our text below a node so that it says `target`."""
    own, foreign = entries(ours), entries(theirs)
    wanted = {str(name): value for name, value in (keyed(target) or {}).items()}
    for name, entry in own.items():
        if name not in wanted:
            yield removal(mine, other, entry)
        elif not same(plain(entry.value), wanted[name]):
            yield from rewritten(mine, other, entry, foreign.get(name), wanted[name], base)
    last, place = max(entry.end for entry in own.values()), ours.start_mark.line
    for name, entry in foreign.items():
        if name in own:
            place = own[name].end
        elif name in wanted:
            column = next(iter(own.values())).column
            place = last if isinstance(ours, yaml.SequenceNode) else place
            yield Change(place, place, moved(other.lines[entry.before : entry.end], column - entry.column))


def rewritten(mine: Page, other: Page, entry: Entry, theirs: Entry | None, value: Any, base: str) -> Iterator[Change]:
    """An entry of ours with another value: entry by entry, or their words, or the value on one line."""
    as_theirs = theirs is not None and same(plain(theirs.value), value)
    if theirs and by_entry(entry.value, theirs.value, value) and not (as_theirs and isinstance(value, list)):
        yield from edits(mine, other, entry.value, theirs.value, value, base)
    elif theirs and as_theirs:
        if on_one_line(entry) and on_one_line(theirs):
            yield spliced(mine, entry, words(other, theirs), comment(other, theirs), base)
        else:
            lines = moved(other.lines[theirs.start : theirs.end], entry.column - theirs.column)
            indent = mine.lines[entry.start][: entry.column]
            yield Change(entry.start, entry.end, [indent + lines[0][entry.column :], *lines[1:]])
    else:
        yield spliced(mine, entry, shown(value), comment(mine, entry), base)


def by_entry(ours: yaml.Node, theirs: yaml.Node, value: Any) -> bool:
    """Whether three versions of a value all have named entries, ours and theirs on lines of their own."""
    return is_block(ours) and is_block(theirs) and all(map(keyed, (value, plain(ours), plain(theirs))))


def plain(node: yaml.Node) -> Any:
    """The data of a node."""
    loader = Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def on_one_line(entry: Entry) -> bool:
    """Whether an entry's value stands beside its key."""
    return bool(entry.value.end_mark.line == entry.start and entry.end == entry.start + 1)


def words(page: Page, entry: Entry) -> str:
    """The text of a value on one line."""
    return page.lines[entry.start][entry.value.start_mark.column : entry.value.end_mark.column]


def comment(page: Page, entry: Entry) -> str:
    """What follows a value on the line of its key."""
    return page.lines[entry.start][entry.value.end_mark.column :] if on_one_line(entry) else ""


def spliced(page: Page, entry: Entry, value: str, other: str, base: str) -> Change:
    """Our entry with another value beside its key; their comment follows it unless ours is newer than the base."""
    start, own = entry.value.start_mark, comment(page, entry)
    head = page.lines[entry.start][: start.column if start.line == entry.start else None]
    tail = own if own and own not in base else other
    return Change(entry.start, entry.end, [head + " " * (not head.endswith(" ")) + value + tail])


def removal(mine: Page, other: Page, entry: Entry) -> Change:
    """An entry taken out, with the comment before it if they took that out too."""
    before = mine.lines[entry.before : entry.start]
    kept = [line for line in before if line.strip() and line in other.lines]
    return Change(entry.start if kept else entry.before, entry.end, [])


def moved(lines: list[str], columns: int) -> list[str]:
    """Lines indented by some columns more, or fewer."""
    return [(" " * columns + line if columns > 0 else line[-columns:]) if line.strip() else line for line in lines]


def applied(lines: list[str], changes: list[Change]) -> list[str]:
    """The lines after all changes; those at one place stay in their order."""
    result = list(lines)
    for change in sorted(changes, key=lambda change: change[:2])[::-1]:
        result[change.start : change.end] = change.lines
    return result
