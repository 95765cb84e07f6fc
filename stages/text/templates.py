"""Texts with plain {fields}: nothing else in a template is read, so what is put in can never be taken for a field."""

import re
from typing import Any

from stages.contract.params import stop

FIELD = re.compile(r"\{([a-z_]+)\}")


def filled(template: Any, words: dict[str, Any], where: str) -> Any:
    """The template, or a structure of them, with its fields replaced; `where` is told if a field has no word."""
    if isinstance(template, dict):
        return {key: filled(each, words, where) for key, each in template.items()}
    if isinstance(template, list):
        return [filled(each, words, where) for each in template]
    if isinstance(template, str):
        unknown = [name for name in FIELD.findall(template) if name not in words]
        if unknown:
            raise stop(f"{where}: {{{unknown[0]}}} in {template!r} is not under words; mend the name or add it")
        return FIELD.sub(lambda match: str(words[match[1]]), template)
    return template
