"""docs/profiles.md: every threshold in every profile, with its reason. `make docs` writes it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineage.troubleshooting import row
from stages.contract import profiles
from stages.contract.profiles import Entry

FILE = Path(__file__).parents[1] / "docs/profiles.md"
HEAD = """\
# Profiles

A profile sets every threshold. `profile` in `params.yaml` names it, and what else stands in `params.yaml` stands above it.
Written by `make docs` from `stages/profiles.yaml`.

{profiles}
`dataset profile` shows the values in force and where each is from, `dataset profile NAME` what another one would change.
`reports/params.json` is all of it as the last run saw it. DVC compares the stages with that file: another profile runs those
stages again in whose sections a value changed, and no other.

## Values of your own

```yaml
profile: prod-1k
filter:
  length: {{max_reply_tokens: 512}} # one limit; the others stay the profile's
  cut_off: off # the whole rule; `on` switches one on that the profile has off
gate:
  rules:
    - {{name: enough examples, min: 1500}} # a rule of the profile, by its name
    - {{name: topics are not lopsided, severity: off}}
health:
  reply_median: {{good: [20, 150]}}
```

A rule that the profile has off is on as soon as `params.yaml` names one of its limits. A list stands in the place of the
profile's list. A profile of your team's is a name under `profiles` in `stages/profiles.yaml`, which then stands beside `all`
wherever it differs.

## What the profiles say, and why

Five lessons on preparing fine-tuning data are followed: A on a curation workflow, B on curation for fine-tuning, C on
training data, D on data for language models, E on dataset engineering. They contradict each other, and some refuse their own
examples: `why` says what each asks for, and what was made of it. Bold is what differs from `{usual}`; `null` is no limit; a
range is from and to.
"""
SECTIONS = {
    "collect": "Reading and cleaning",
    "measure": "Measuring",
    "filter": "Rules for one record",
    "dedup": "Duplicates",
    "decontaminate": "Evaluation rows in the training data",
    "judge": "The judge",
    "balance": "Balance",
    "split": "Splits",
    "export": "What goes out",
    "health": "Health",
}
FIELDS = ("min", "max", "severity")
"""What of a gate rule profiles set."""


def lines() -> Iterator[str]:
    """The page, piece by piece."""
    known = profiles.table().profiles
    told = "".join(f"- `{name}`: {about}.\n" for name, about in known.items())
    yield HEAD.format(profiles=told, usual=profiles.DEFAULT)
    for section, title in SECTIONS.items():
        found = {path: entry for path, entry in profiles.table().settings.items() if path.startswith(f"{section}.")}
        yield from titled(title, found)
    yield "\n## The gate\n\n" + head("rule", "metric")
    for rule in profiles.table().gate:
        fields = [
            {"all": rule[field]} if not isinstance(rule[field], dict) else rule[field]
            for field in FIELDS
            if field in rule
        ]
        names = [field for field in FIELDS if field in rule]
        cells = [marked([said(names, each) for each in zip(*map(across, fields), strict=True)])]
        yield row(rule["name"], f"`{rule['metric']}`", *cells[0], rule["why"])


def titled(title: str, found: dict[str, Entry]) -> Iterator[str]:
    """One section with its table."""
    yield f"\n### {title}\n\n" + head("setting")
    for path, entry in found.items():
        yield row(f"`{path}`", *marked(list(map(shown, across(entry)))), entry["why"])


def head(*first: str) -> str:
    """The first two lines of a table."""
    names = [*first, *(f"`{name}`" for name in profiles.table().profiles), "why"]
    return row(*names) + "|" + "---|" * len(names) + "\n"


def across(entry: Any) -> list[Any]:
    """The value of an entry in every profile, in their order."""
    return [profiles.chosen(entry, name, "") for name in profiles.table().profiles]


def marked(cells: list[str]) -> list[str]:
    """The cells of a row, those in bold that differ from the usual profile's."""
    usual = cells[list(profiles.table().profiles).index(profiles.DEFAULT)]
    return [cell if cell == usual else f"**{cell}**" for cell in cells]


def said(names: list[str], values: tuple[Any, ...]) -> str:
    """What a profile says of a gate rule."""
    told = dict(zip(names, values, strict=True))
    severity = told.pop("severity", "error")
    limits = ", ".join(f"{name} {value:,}" for name, value in told.items())
    return "off" if severity == "off" else limits + (", warns" if severity == "warning" else "")


def shown(value: Any) -> str:
    """A value as params.yaml spells it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def text() -> str:
    """The whole page."""
    return "".join(lines())


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
