"""params.yaml and dvc.yaml changed as text, so that comments, order and quotes stay as their authors wrote them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from stages.contract import params, paths, shards
from stages.contract.params import stop


def edit(name: str, *changes: Callable[[str], str]) -> None:
    """Change a file of the project, all at once or not at all."""
    path = paths.ROOT / name
    text = path.read_text("utf-8")
    for change in changes:
        text = change(text)
        params.mapping(text.encode(), name)
    shards.put(path, [text.removesuffix("\n").encode()])


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


def last_line(node: yaml.Node) -> int:
    """The line, from 0, that a value ends on; comments and blank lines after it are not part of it."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return last_line(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.line) - is_text(node)


def is_text(node: Any) -> bool:
    """Whether a value is a text of several lines, after `|` or `>`; its mark says that it ends where the next key begins."""
    return isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")


def with_value(path: str, new: str) -> Callable[[str], str]:
    """The change that gives a key another value; what stood in a block under it goes."""

    def change(text: str) -> str:
        key, value = found(text, path)
        if isinstance(value, yaml.ScalarNode) and not is_text(value):
            space = "" if value.start_mark.index > key.end_mark.index + 1 else " "  # a key without any value
            return text[: value.start_mark.index] + space + new + text[value.end_mark.index :]
        lines = text.splitlines(keepends=True)
        head = lines[key.end_mark.line][: key.end_mark.column]
        return "".join([*lines[: key.start_mark.line], f"{head}: {new}\n", *lines[last_line(value) + 1 :]])

    return change


def with_entry(path: str, name: str, block: str) -> Callable[[str], str]:
    """The change that adds an entry, given as the lines below its name, at the end of a mapping."""

    def change(text: str) -> str:
        key, value = found(text, path)
        lines = text.splitlines(keepends=True)
        margin = " " * (value.value[0][0].start_mark.column if value.value else key.start_mark.column + 2)
        added = [f"{margin}{name}:\n", *(f"{margin}  {line}\n" for line in block.splitlines())]
        if value.value and not value.flow_style:
            at = last_line(value) + 1
            return "".join([*lines[:at], *added, *lines[at:]])
        if value.value:
            raise stop(f"{params.FILE}: {path}: is written in braces; write it as a block, one key a line")
        return with_value(path, "\n" + "".join(added).removesuffix("\n"))(text).replace(": \n", ":\n", 1)

    return change


def without(path: str) -> Callable[[str], str]:
    """The change that takes a key out, with the blank lines after it; nothing if it is not there."""

    def change(text: str) -> str:
        try:
            key, value = found(text, path)
        except params.Stop:
            return text
        lines = text.splitlines(keepends=True)
        end = last_line(value) + 1
        while end < len(lines) and not lines[end].strip():
            end += 1
        return "".join(lines[: key.start_mark.line] + lines[end:])

    return change


def relative(path: Path) -> str:
    """A path as params.yaml names it: from the project's folder if it is inside."""
    root, full = paths.ROOT.resolve(), path.resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.as_posix()
