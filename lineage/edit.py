"""params.yaml and dvc.yaml changed as text, so that comments, order and quotes stay as their authors wrote them.

What the new text says is read again and compared with what it is meant to say; a layout that a change would harm is left
to people.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from stages.contract import params, paths, shards
from stages.contract.params import stop

BOM = "\ufeff"


class Change(Struct):
    """A change of a YAML file, to its text and, to check that, to its data."""

    text: Callable[[str], str]
    data: Callable[[dict[str, Any]], object]


def edit(name: str, *changes: Change) -> None:
    """Change a file of the project, all at once or not at all."""
    shards.put_bytes(paths.ROOT / name, edited(name, *changes))


def edited(name: str, *changes: Change) -> bytes:
    """The file's bytes after the changes; a stop if one of them cannot be made without harm."""
    original = (paths.ROOT / name).read_bytes().decode("utf-8")
    text = original.removeprefix(BOM).replace("\r\n", "\n")
    text += "" if text.endswith("\n") else "\n"
    meant = unshared(params.mapping(text.encode(), name))
    for change in changes:
        change.data(meant)
        text = change.text(text)
        if not says(text, meant):
            raise stop(f"{name}: is laid out so that a program cannot change it without harm; edit it by hand")
    mark = BOM if original.startswith(BOM) else ""
    return (mark + (text.replace("\n", "\r\n") if "\r\n" in original else text)).encode()


def says(text: str, meant: dict[str, Any]) -> bool:
    """Whether a text is YAML and says what it is meant to say."""
    try:
        return bool(unshared(params.mapping(text.encode(), "")) == meant)
    except params.Stop:
        return False


def unshared(value: Any) -> Any:
    """A copy in which no two places are one object, as an alias makes them: a change of one must not change the other."""
    if isinstance(value, dict):
        return {key: unshared(each) for key, each in value.items()}
    return [unshared(each) for each in value] if isinstance(value, list) else value


def found(text: str, path: str) -> tuple[Any, Any]:
    """The nodes of a key and its value, by the key's dotted path."""
    key: Any = None
    value: Any = yaml.compose(text, params.Loader)
    for name in path.split("."):
        pairs = value.value if isinstance(value, yaml.MappingNode) else []
        key, value = next(((key, each) for key, each in pairs if key.value == name), (None, None))
        if key is None:
            raise stop(f"{params.FILE}: {path} is missing; add it")
    return key, value


def end_of(node: yaml.Node) -> int:
    """The line after the last that belongs to a node, without the comments and empty lines that follow it."""
    if is_block(node):
        last = node.value[-1]
        return max(end_of(part) for part in (last if isinstance(last, tuple) else (last,)))
    whole_lines = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and node.end_mark.column == 0
    return int(node.end_mark.line) + (not whole_lines)


def is_block(node: yaml.Node) -> bool:
    """Whether a node is a mapping or a list with a line for each entry."""
    return isinstance(node, yaml.CollectionNode) and not node.flow_style and bool(node.value)


def inner(data: dict[str, Any], path: str) -> dict[str, Any]:
    """The mapping that holds the last key of a dotted path."""
    for name in path.split(".")[:-1]:
        data = data[name]
    return data


def last(path: str) -> str:
    """The last key of a dotted path."""
    return path.rpartition(".")[2]


def with_value(path: str, new: str) -> Change:
    """Give a key another value, as YAML on one line; what stood in a block under it goes."""

    def change(text: str) -> str:
        key, value = found(text, path)
        lines = text.splitlines(keepends=True)
        line, column = key.end_mark.line, key.end_mark.column
        tail = after(text, key, value) if value.end_mark.line == line else "\n"
        return "".join([*lines[:line], f"{lines[line][:column]}: {new}{tail}", *lines[max(line + 1, end_of(value)) :]])

    return Change(change, lambda data: inner(data, path).update({last(path): params.yaml_value(new.encode(), path)}))


def after(text: str, key: Any, value: Any) -> str:
    """What follows a value on the line of its key: most often a comment."""
    start = max(value.end_mark.index, key.end_mark.index + 1)
    return text[start : text.index("\n", start) + 1]


def with_entry(path: str, name: str, block: str) -> Change:
    """Add an entry, given as the lines below its name, at the end of a mapping."""

    def change(text: str) -> str:
        key, value = found(text, path)
        empty = value.tag.endswith(":null") or not value.value
        if not is_block(value) and not empty:
            raise stop(f"{params.FILE}: {path}: is not one key a line; write it so, or add the entry by hand")
        lines = text.splitlines(keepends=True)
        column = value.value[0][0].start_mark.column if not empty else key.start_mark.column + 2
        added = [" " * column + line + "\n" for line in (f"{name}:", *(f"  {line}" for line in block.splitlines()))]
        if not empty:
            return "".join([*lines[: end_of(value)], *added, *lines[end_of(value) :]])
        line = key.end_mark.line
        head = lines[line][: key.end_mark.column] + ":" + after(text, key, value)
        return "".join([*lines[:line], head, *added, *lines[max(line + 1, end_of(value)) :]])

    def said(data: dict[str, Any]) -> None:
        held = inner(data, path)
        held[last(path)] = (held.get(last(path)) or {}) | {name: params.yaml_value(block.encode(), name)}

    return Change(change, said)


def with_section(name: str, block: str) -> Change:
    """Add a key at the end of the file, given as the lines below it."""
    lines = "".join(f"  {line}\n" for line in block.splitlines())
    return Change(
        lambda text: f"{text}\n{name}:\n{lines}",
        lambda data: data.update({name: params.yaml_value(block.encode(), name)}),
    )


def without(path: str) -> Change:
    """Take a key out, with the blank lines after it; nothing if it is not there."""

    def change(text: str) -> str:
        try:
            key, value = found(text, path)
        except params.Stop:
            return text
        lines = text.splitlines(keepends=True)
        end = max(key.end_mark.line + 1, end_of(value))
        while end < len(lines) and not lines[end].strip():
            end += 1
        return "".join(lines[: key.start_mark.line] + lines[end:])

    return Change(change, lambda data: inner(data, path).pop(last(path), None))


def relative(path: Path) -> str:
    """A path as params.yaml names it: from the project's folder if it is inside."""
    root, full = paths.ROOT.resolve(), path.resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.as_posix()
