"""The report as a page: it answers at once, it stays small, and nothing in a record can become a part of it."""

import base64
import hashlib
import json
import random
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pandas as pd
import pytest
import yaml
from msgspec import convert

from stages import checks
from stages.contract import paths, profiles
from stages.contract.params import read_yaml
from stages.contract.record import Drop, digest, encode
from stages.reporting import accounting, chart, choice, excerpt, glance, health, likeness, page, reasons
from stages.reporting.evidence import Evidence
from tests.browser import opened
from tests.conftest import REPOSITORY, SAMPLE, build, json_lines, record, sample_project, settings_of, stage

EVIL = [
    "<script>console.error('pwned')</script>",
    "</script><script>console.error('pwned')</script>",
    "</style><style>* {display: none}</style>",
    "\"><img src=https://evil.example/i onerror=console.error('pwned')>",
    "'><svg onload=console.error('pwned')><a href='javascript:alert(1)'>",
    "</title></textarea></details></main><iframe src=https://evil.example/f></iframe>",
    "javascript:console.error('pwned') [x](javascript:alert(1)) https://evil.example/l data:text/html,<b>",
    "{{7*7}} {% include '/etc/passwd' %} ${7*7} <!--",
    "--> &lt;b&gt; &#x3c;script&#x3e; <base href=https://evil.example/>",
    "gnp\u202e.exe \u2066hidden\u2069 zero\u200bwidth \U000e0041",
    "<link rel=stylesheet href=https://evil.example/s><meta http-equiv=refresh content='0;url=https://evil.example/m'>",
    "<button autofocus onfocus=console.error('pwned')><input onblur=alert(1) style='position:fixed'>",
]
PRIVATE = "the row that nobody redacted"
TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body a header p h1 h2 h3 dl div dt dd nav ol ul li main section span table thead tbody"
        " tr th td b br code pre details summary figure figcaption svg desc rect line text label select option input button"
        " footer script mark",
    )
)
VOID = {"meta", "br", "input", "rect", "line"}
STAGED = ("stage", "reason", "source")


class Page(HTMLParser):
    """Every element of a page with its attributes, and every text with the elements it stands in."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> str:
        return "".join(data for name, data in self.texts if name == tag)

    def entries(self, key: str) -> list[dict[str, str | None]]:
        return [at for at in self.all("li") if "data-entry" in at and f"data-{key}" in at]


def hostile_project(root: Path, order: int = 0) -> Path:
    """A project whose every text, topic, tool, argument, broken row and file name attacks the page."""
    sample_project(root)
    shutil.rmtree(root / "data/sources")
    chosen = read_yaml(root / "params.yaml")
    chosen.pop("generate")
    chosen["report"] = {"title": EVIL[0], "intended_use": EVIL[1], "known_faults": EVIL[2:4]}
    chosen["sources"] = {
        "log": {"path": "data/log", "licence": EVIL[4], "topic_field": "topic"},
        "pairs": {"path": "data/pairs.jsonl", "licence": "MIT"},
        "made": {"path": "data/sources/generated", "licence": "MIT", "topic_field": "topic", "extra_field": "extra"},
    }
    chosen["filter"] = {name: "off" for name in checks.names() if name not in ("structure", "empty")}
    chosen["balance"] = {"max_per_topic": 2}
    chosen["gate"] = {"rules": [{"name": EVIL[5], "metric": "dataset.examples", "remedy": EVIL[6], "min": 5000}]}
    (root / "params.yaml").write_text(yaml.safe_dump(chosen))
    (root / "data/log").mkdir()
    rows = [json.dumps(row) for row in hostile_rows()] + [f'{{"broken": "{PRIVATE} <script>']
    random.Random(order).shuffle(rows) if order else None
    (root / "data/log" / "<img src=x onerror=alert(1)>\x1b[2J.jsonl").write_text("\n".join(rows))
    pairs = [{"prompt": f"{each} {n}?", "chosen": each, "rejected": f"{each} not"} for n, each in enumerate(EVIL)]
    (root / "data/pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    (root / "data/sources/generated").mkdir(parents=True)
    written = [
        {
            "prompt": f"{n} {each}",
            "completion": f"{each} {n}",
            "topic": each,
            "extra": {"method": each, "style": each, each: each},
        }
        for n, each in enumerate(EVIL)
    ]
    (root / "data/sources/generated/examples.jsonl").write_text("\n".join(map(json.dumps, written)))
    return root


def hostile_rows() -> list[dict[str, Any]]:
    """Plain rows of few topics, a group of copies of each of some, and rows with tools."""
    rows: list[dict[str, Any]] = []
    for n, each in enumerate(EVIL):
        asked = {"role": "user", "content": f"What does {each} do, number {n}?"}
        said = {"role": "assistant", "content": f"{each} does nothing. That is all about number {n}, and it is enough."}
        rows.append({"messages": [asked, said], "topic": EVIL[n % 3]})
        copies = [{"role": "system", "content": f"Copy {copy} {each}"} for copy in range(1 + n % 3)]
        rows += [{"messages": [system, asked, said], "topic": EVIL[n % 3]} for system in copies]
        call = {
            "id": "123456789",
            "type": "function",
            "function": {"name": each, "arguments": json.dumps({each: each})},
        }
        tool = {"type": "function", "function": {"name": each, "description": each, "parameters": {"type": "object"}}}
        turns = [
            {"role": "user", "content": f"Please call the tool for {each} and {n}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "123456789", "content": f"{each} {n}"},
            {"role": "assistant", "content": f"Called {n}: {each}"},
        ]
        rows.append({"messages": turns, "tools": [tool], "topic": f"tool {n} {each}"})
    return rows + [{"messages": [{"role": "user", "content": each}], "topic": "cut"} for each in EVIL[:3]]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    return build(hostile_project(tmp_path_factory.mktemp("hostile"))) / paths.REPORT


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    return build(sample_project(tmp_path_factory.mktemp("sample"))) / paths.REPORT


def text_of(path: Path) -> str:
    return path.read_text("utf-8")


# nothing in a record can become a part of the page


def harmless(content: str) -> Page:
    """The page, after no element, attribute or address in it was found that its template does not write."""
    found = Page(content)
    assert {tag for tag, _ in found.elements} <= TAGS
    assert len(found.all("style")) == len(found.all("script")) == 1
    assert found.text("style") == text_of(REPOSITORY / "stages/reporting/report.css")
    assert found.text("script") == text_of(REPOSITORY / "stages/reporting/report.js")
    for tag, attributes in found.elements:
        assert not {
            name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "action")
        }
        assert tag == "a" or "href" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert {at.get("http-equiv") for at in found.all("meta")} == {None, "Content-Security-Policy"}
    return found


def test_no_element_attribute_or_address_comes_from_a_record(hostile: Path) -> None:
    found = harmless(text_of(hostile))
    shown = "".join(data for tag, data in found.texts if tag not in ("style", "script"))
    for each in EVIL[:9]:
        assert each in shown  # as text
    assert "{{7*7}}" in shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", shown)
    assert r"gnp\u202e.exe \u2066hidden\u2069 zero\u200bwidth \U000e0041" in shown
    assert r"onerror=alert(1)>\x1b[2J.jsonl:" in shown


def test_a_browser_runs_loads_and_makes_nothing_of_a_record(hostile: Path) -> None:
    found = opened(hostile)
    assert found.console == []
    assert [url for url in found.requests if "evil" in url or url.startswith("data:")] == []
    harmless(found.dom)


def test_the_browser_would_tell_what_a_record_does(hostile: Path, tmp_path: Path) -> None:
    content = text_of(hostile).replace("<main", f"{EVIL[0]}{EVIL[3]}<main")
    (tmp_path / "guarded.html").write_text(content, "utf-8")
    guarded = opened(tmp_path / "guarded.html")
    assert len(guarded.console) >= 2  # the policy refuses both, and says so
    assert not any("pwned" in line and "Refused" not in line and "violates" not in line for line in guarded.console)
    assert not any("evil.example" in url for url in guarded.requests)
    (tmp_path / "open.html").write_text(re.sub("<meta http-equiv[^>]*>", "", content), "utf-8")
    unguarded = opened(tmp_path / "open.html")
    assert any("pwned" in line for line in unguarded.console)
    assert any("evil.example" in url for url in unguarded.requests)


def test_the_policy_names_the_style_and_the_script_and_nothing_else(sample: Path) -> None:
    found = Page(text_of(sample))
    [policy] = [at["content"] for at in found.all("meta") if at.get("http-equiv")]
    hashes = [
        base64.b64encode(hashlib.sha256(found.text(tag).encode()).digest()).decode() for tag in ("style", "script")
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_text_of_a_row_that_was_never_redacted_is_not_shown(hostile: Path) -> None:
    content = text_of(hostile)
    [drop] = Page(content).entries("reason")[:1]
    assert drop["data-stage"] == "collect"
    assert PRIVATE not in content
    assert "its text is not here" in content


def test_no_planted_personal_data_is_shown(sample: Path) -> None:
    from tests.test_pipeline import RAW

    content = text_of(sample)
    assert [value for value in RAW if value in content] == []
    assert "[EMAIL]" in content


# a reader finds the answers


def plain(content: str) -> str:
    """The text of the page in one line."""
    return " ".join("".join(data for tag, data in Page(content).texts if tag not in ("style", "script")).split())


def test_the_glance_answers_what_a_reader_asks_first(sample: Path) -> None:
    said = plain(text_of(sample)).split("At a glance", 2)[2].split("Known faults")[0]
    for answer in (
        "The gate passes: 21 rules of 22 hold, 1 warning.",
        "“no unreadable rows in the input” warns: input.format_errors is 8, wanted is at most 0. Mend the rows",
        "look: enough examples (628 examples)",
        "713 rows came in; 628 examples, 43 preference pairs went out; 42 fell (5.9 %). Most fell in filter, 22: 2 cut_off",
        "support lost the largest share: 36 of 379 rows (9.5 %)",
        "The largest group has 2 records: 1 dropped for one that was kept, which starts “",
        "12 finds were replaced: email 2, phone 2, birth_date 1, card 1",
        "most in support (12).",
        f"The profile lesson-200 sets {len(profiles.settings(settings_of(SAMPLE)))} values, params.yaml none.",
        "The median example asks in 19 and answers in 58 tokens; 99.8 % answer in en",
    ):
        assert answer in said


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (["url", "name", "address"], " Names and addresses are not looked for."),
        (["url", "address"], " Addresses are not looked for."),
        (["url"], ""),
    ],
)
def test_what_is_not_looked_for_is_told_by_the_settings(kept: list[str], said: str) -> None:
    assert glance.personal({}, {}, kept).text == f"No personal data was found.{said}"


def test_a_failing_gate_comes_first_with_its_remedy(hostile: Path) -> None:
    said = plain(text_of(hostile)).split("At a glance", 2)[2]
    assert said.strip().startswith("Gate The gate fails: 3 rules of 23 broken")
    assert f"“{EVIL[5]}” fails: dataset.examples is " in said
    assert EVIL[6][0].upper() + EVIL[6][1:] in said


def test_the_page_stands_without_its_script(sample: Path) -> None:
    found = Page(text_of(sample))
    assert len(found.entries("stage")) == len(json_lines(sample.parents[1] / "data/curated/dropped.jsonl"))
    assert len(found.entries("split")) == choice.SAMPLE
    assert not [at for at in found.all("li") if "hidden" in at]
    assert [at for at in found.all("div") if "data-filters" in at and "hidden" in at]  # dead controls are not shown


def test_every_drop_says_its_meaning_evidence_and_origin(sample: Path) -> None:
    content, said = text_of(sample), plain(text_of(sample))
    for drop in json_lines(sample.parents[1] / "data/curated/dropped.jsonl"):
        assert f"<code>{drop['id']}</code>" in content
        assert reasons.meaning(drop["stage"], drop["reason"]) in said
    assert "data/sources/support/2026-05.jsonl:151" in said
    assert "one run has 22 % of gold:121 of data/eval: “seven. guests, who can see only the lists" in said
    assert "similarity 0.949 to the record that was kept for it" in said
    assert "score 2.0 of 5; taken off: filler 2.0, off topic 1.0" in said


def test_the_losses_of_the_sources_add_up_to_the_drops(sample: Path) -> None:
    metrics = json.loads((sample.parent / "metrics.json").read_text())
    table = re.search(r'<table>\s*<thead><tr><th scope="col">source.*?</table>', text_of(sample), re.DOTALL)
    assert table
    rows = [re.sub("<[^>]*>", " ", row).split() for row in re.findall("<tr>.*?</tr>", table[0], re.DOTALL)[1:]]
    shown = {row[0]: list(map(int, row[2:10])) for row in rows}
    assert {name: sum(counts) for name, counts in shown.items()} == {
        name: at["dropped"] for name, at in metrics["sources"].items()
    }
    assert [sum(column) for column in zip(*shown.values(), strict=True)] == [
        at["dropped"] for at in metrics["stages"].values()
    ]
    shares = [float(re.search(r"([\d.]+) %", " ".join(row))[1]) for row in rows]  # type: ignore[index]
    assert shares == sorted(shares, reverse=True)  # the worst source first


def test_tool_calls_and_both_endings_of_a_pair_can_be_read(sample: Path) -> None:
    content = text_of(sample)
    assert re.search(r'calls <code>\w+</code></p><pre dir="auto">\{\n  &#34;\w+&#34;: ', content)
    assert content.count('<p class="heading">chosen</p>') == content.count('<p class="heading">rejected</p>') > 3
    assert {at["data-kind"] for at in Page(content).entries("split")} == {"example", "preference"}


def test_the_sample_has_every_split_source_and_kind(sample: Path) -> None:
    index = json_lines(sample.parents[1] / "data/curated/index.jsonl")
    wanted = {(row["split"], row["source"], row["kind"]) for row in index}
    shown = {(at["data-split"], at["data-source"], at["data-kind"]) for at in Page(text_of(sample)).entries("split")}
    assert shown == wanted


# it can be used with a keyboard, a screen reader, a phone, and in the dark


def test_headings_labels_names_and_links_are_in_order(sample: Path) -> None:
    found = Page(text_of(sample))
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [at["id"] for _, at in found.elements if "id" in at]
    assert len(ids) == len(set(ids))
    assert {at["for"] for at in found.all("label")} == {
        at["id"] for tag in ("select", "input") for at in found.all(tag)
    }
    referred = [name for _, at in found.elements for name in (at.get("aria-labelledby") or "").split()]
    assert set(referred) <= set(ids)
    for at in found.all("a"):
        assert (at["href"] or "")[1:] in ids  # also those that set a filter: they work without the script
    assert found.all("html")[0]["lang"] == "en"
    assert all("scope" in at for at in found.all("th"))
    assert len([at for at in found.all("p") if at.get("aria-live") == "polite"]) == 2
    charts = [at for at in found.all("svg") if at.get("role") == "img"]
    assert len(charts) == len(found.all("desc")) == 3


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG defines it."""
    digits = colour.lstrip("#") if len(colour) == 7 else "".join(2 * digit for digit in colour.lstrip("#"))
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_text_stands_out_enough_in_light_in_the_dark_and_on_paper() -> None:
    schemes = re.findall(r":root \{(.*?)\}", text_of(REPOSITORY / "stages/reporting/report.css"), re.DOTALL)
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", scheme))
        for ground in ("paper", "card"):
            for ink in ("ink", "soft", "accent", "ok", "look", "warn"):
                lighter, darker = sorted((luminance(colours[ground]), luminance(colours[ink])), reverse=True)
                assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ground, ink)


@pytest.mark.parametrize(
    ("fragment", "key", "wanted"),
    [
        ("#stage=dedup", "stage", {"stage": "dedup"}),
        ("#stage=filter&reason=cut_off", "stage", {"stage": "filter", "reason": "cut_off"}),
        ("#source=faq", "stage", {"source": "faq"}),
        ("#split=test&kind=preference", "split", {"split": "test", "kind": "preference"}),
    ],
)
def test_an_address_sets_the_filter(sample: Path, fragment: str, key: str, wanted: dict[str, str]) -> None:
    found = opened(sample, fragment)
    assert found.console == []
    after = Page(found.dom)
    fitting = [at for at in after.entries(key) if all(at[f"data-{name}"] == value for name, value in wanted.items())]
    shown = [at for at in after.entries(key) if "hidden" not in at]
    assert shown == fitting != []
    assert f"{len(fitting)} of {len(after.entries(key))} " in found.dom
    assert not [at for at in after.all("div") if "data-filters" in at and "hidden" in at]


@pytest.mark.parametrize(
    "fragment", ["", "#gate", "#stage=nothing", "#__proto__=x", "#find=%3Cscript%3E", "#stage=%zz"]
)
def test_no_address_breaks_the_page(hostile: Path, fragment: str) -> None:
    found = opened(hostile, fragment)
    assert found.console == []
    harmless(found.dom)


def test_a_text_is_found(sample: Path) -> None:
    shown = [at for at in Page(opened(sample, "#find=GuEsTs%2C+who+can").dom).entries("stage") if "hidden" not in at]
    assert [at["data-stage"] for at in shown] == ["decontaminate"]


def test_the_controls_filter_show_all_and_clear(sample: Path, tmp_path: Path) -> None:
    steps = """
    const log = [], note = () => log.push(document.querySelector("#drops [data-status]").textContent + location.hash);
    const set = (id, value) => {
      const control = document.getElementById(id);
      control.value = value;
      control.dispatchEvent(new Event("input"));
      note();
    };
    note();
    document.querySelector("#drops [data-all]").click(); note();
    set("drops-stage", "dedup"); set("drops-find", "HELLO. siri");
    document.querySelector("#drops [data-reset]").click(); note();
    document.body.dataset.log = log.join("|");
    """
    content = re.sub("<meta http-equiv[^>]*>", "", text_of(sample)).replace(
        "</body>", f"<script>{steps}</script></body>"
    )
    (tmp_path / "page.html").write_text(content, "utf-8")
    found = opened(tmp_path / "page.html")
    assert found.console == []
    log = re.search('data-log="([^"]*)"', found.dom)
    assert log
    assert log[1].replace(" drops on this page fit", "").split("|") == [
        "42 of 42; 20 shown.",
        "42 of 42; 42 shown.",
        "6 of 42; 6 shown.#stage=dedup",
        "1 of 42; 1 shown.#stage=dedup&amp;find=HELLO.+siri",
        "42 of 42; 20 shown.#drops",
    ]


# it stays small, and the same


def large(root: Path, rows: int, kept: int = 99) -> Path:
    """A project with one source, most of whose long and costly records were dropped, as the stages would have written it."""
    sample_project(root)
    chosen = read_yaml(root / "params.yaml")
    chosen["sources"] = {"log": {"path": "log.jsonl", "licence": "MIT"}}
    (root / "params.yaml").write_text(yaml.safe_dump(chosen))
    costly = '"\U000e0041<' * 2_000
    made = [
        record(f"{costly}{n}", costly, id=digest("large", n), source="log", meta={"topic": f"{n} {costly}"})
        for n in range(rows)
    ]
    dedup = {"survivor": made[0].id, "similarity": 0.9}
    drops = [Drop(each.id, "log", "dedup", "near_duplicate", dedup) for each in made[1 : rows // 2]]
    low = {"score": 1.0, "penalties": {costly: 1}}
    drops += [Drop(each.id, "log", "judge", "low_score", low) for each in made[rows // 2 : rows - kept]]
    curated = [made[0], *made[rows - kept :]] if kept else []
    long_path = "a/" * 3_000
    for place, content in {
        "data/records/log/00000.jsonl": made,
        "data/origins/log/00000.jsonl": [{"id": each.id, "origin": f"{long_path}{n}"} for n, each in enumerate(made)],
        "data/origins/log/source.json": [{"rows": rows, "records": rows, "repairs": {}, "key_conflicts": 0}],
        "data/scores/log/00000.jsonl": [{"measured_from": "0"}],
        "data/overlaps.jsonl": [],
        "data/fact_check.jsonl": [],
        "data/splits.jsonl": [],
        "data/judged.jsonl": [],
        "data/unresolved.jsonl": [],
        "data/curated/index.jsonl": [
            {"id": e.id, "source": "log", "split": "train", "kind": "example"} for e in curated
        ],
        "data/curated/dropped.jsonl": drops,
        "data/exports/losses.json": [{}],
    }.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(b"".join(encode(row) + b"\n" for row in content))
    stage(root, "report")
    return root / paths.REPORT


def test_the_page_stays_small_whatever_the_records_are_and_says_what_is_left_out(tmp_path: Path) -> None:
    found = large(tmp_path, 1_500)
    assert 200_000 < found.stat().st_size < 1_500_000
    said = plain(text_of(found))
    shown = len(Page(text_of(found)).entries("stage"))
    assert 10 < shown < 1_400
    assert f"{shown} of 1,400 drops are shown" in said
    assert "The whole is in data/curated/dropped.jsonl" in said
    assert {at["data-stage"] for at in Page(text_of(found)).entries("stage")} == {"dedup", "judge"}


def test_the_order_of_the_rows_changes_nothing_but_their_origins(hostile: Path, tmp_path: Path) -> None:
    again = build(hostile_project(tmp_path, order=7)) / paths.REPORT
    before, after = (re.sub(r"\.jsonl:\d+", ".jsonl:n", text_of(each)) for each in (hostile, again))
    assert before == after
    assert text_of(hostile) != text_of(again)


def test_items_are_dealt_one_of_each_group_first() -> None:
    items = [(group, n) for group, members in (("a", 5), ("b", 2), ("c", 1)) for n in range(members)]
    found = choice.dealt(items, lambda item: item[0], str)
    assert [group for group, _ in found] == ["a", "b", "c", "a", "b", "a", "a", "a"]
    assert choice.dealt(items[::-1], lambda item: item[0], str) == found


def test_an_excerpt_says_how_much_it_leaves_out() -> None:
    short = excerpt.excerpt(record("x" * 30, "y" * 30), 40)
    assert [(turn.said.text, turn.said.more) for turn in short.turns] == [("x" * 30, 0), ("y" * 10, 20)]
    turns = [{"role": role, "content": "a"} for _ in range(10) for role in ("user", "assistant")]
    assert excerpt.excerpt(record(messages=turns), 100).left_out == 20 - excerpt.TURNS


def test_what_is_new_in_a_copy_is_told_apart() -> None:
    runs = excerpt.runs("Hello. Open its menu\n and rename it", "Open its menu\n and choose it")
    assert [text for text, new in runs if new] == ["Hello. ", "rename "]
    assert "".join(text for text, _ in runs) == "Hello. Open its menu\n and rename it"
    copy, survivor = (excerpt.excerpt(record(*texts), 99) for texts in (("a b", "c d"), ("a b", "c")))
    assert [turn.said.runs for turn in excerpt.compared(copy, survivor).turns] == [
        (("a b", False),),
        (("c ", False), ("d", True)),
    ]


def test_a_page_about_nothing_still_opens(tmp_path: Path) -> None:
    found = large(tmp_path, 99, kept=0)
    said = plain(text_of(found))
    assert "The dataset has no example." in said
    assert "Nothing was measured." in said
    harmless(text_of(found))


# what the numbers are


RULES = [
    rule
    for name in profiles.table().profiles
    for rule in health.rules(convert(profiles.values(name)["health"], health.Params))
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_health_rule_has_a_metric_a_symptom_an_action_and_three_states(rule: health.Rule, sample: Path) -> None:
    metrics = json.loads((sample.parent / "metrics.json").read_text())
    assert isinstance(health.found(metrics, rule.metric), int | float)
    assert rule.symptom.endswith(".")
    assert rule.action
    good, tolerated = rule.good, rule.tolerated
    assert all(health.state(rule, bound) == "ok" for bound in (good.low, good.high) if bound is not None)
    beyond = [tolerated.low and tolerated.low * 0.99, tolerated.high and tolerated.high * 1.01]
    assert {health.state(rule, value) for value in beyond if value} <= {"warn"}
    assert any(beyond) == (rule.warn != "never")
    between = [(a + b) / 2 for a, b in ((good.low, tolerated.low), (good.high, tolerated.high)) if a and b and a != b]
    assert {health.state(rule, value) for value in between} <= {"look"}
    assert health.state(rule, None) == "look"


def test_the_ranges_of_health_are_those_that_are_taught() -> None:
    told = {rule.metric: (health.good(rule), rule.warn) for rule in RULES[len(health.RULES) :][: len(health.RULES)]}
    assert told == {
        "prompt_tokens.p90_over_p10": ("at most 20×", "more than 50×"),
        "reply_tokens.median": ("50 to 300 tokens", "less than 20 or more than 800 tokens"),
        "topic_imbalance": ("at most 10×", "more than 50×"),
        "scores.below_3_share": ("at most 5\u00a0%", "more than 20\u00a0%"),
        "input.duplicate_share": (
            "5 to 30\u00a0%; less is fine for input that was curated before",
            "more than 60\u00a0%",
        ),
        "dataset.examples": ("at least 1,000 examples", "less than 200 examples"),
        "input.records": ("at most 500,000 records", "more than 500,000 records"),
    }


def test_few_duplicates_are_fine() -> None:
    rule = next(rule for rule in RULES if rule.metric == "input.duplicate_share" and rule.good.low)
    assert [health.state(rule, value) for value in (0.0, 0.04, 0.3, 0.31, 0.6, 0.61)] == [
        "ok",
        "ok",
        "ok",
        "look",
        "look",
        "warn",
    ]


def test_every_reason_of_every_stage_that_drops_has_a_meaning() -> None:
    assert tuple(reasons.MEANINGS) == choice.ORDER
    assert all(text for meanings in reasons.MEANINGS.values() for text in meanings.values())


def test_a_split_with_the_same_shares_is_like_the_whole_and_one_with_others_is_not() -> None:
    names = pd.Series(["a", "b", "b"] * 200 + ["c"] * 54)
    splits = pd.Series((["train"] * 3 + ["validation"] * 3) * 100 + ["train", "validation"] * 24 + ["test"] * 6)
    found = {each.split: each for each in likeness.likeness(names, splits)}
    assert found["train"].word == "like the whole"
    assert (found["test"].word, found["test"].farthest) == ("unlike the whole", "c")
    assert found["test"].distance > found["train"].distance


def test_the_distance_of_nothing_in_common_is_one_and_of_the_same_nought() -> None:
    whole = pd.Series({"a": 3, "b": 3})
    assert likeness.distance(whole, whole * 2) == 0
    apart = pd.Series({"a": 3, "b": 0}), pd.Series({"a": 0, "b": 5})
    assert likeness.distance(*apart) == pytest.approx(1)


def test_chance_is_what_random_draws_are_off_by() -> None:
    chance = random.Random(5)
    population = [chance.choice("abcdefgh") for _ in range(2_000)]
    whole = pd.Series(population).value_counts()
    draws = [likeness.distance(pd.Series(chance.sample(population, 200)).value_counts(), whole) for _ in range(60)]
    assert sum(draws) / len(draws) == pytest.approx(likeness.by_chance(200, 2_000, 8), rel=0.15)


def test_both_distributions_are_counted_whole_in_the_same_round_bins() -> None:
    before = [*map(float, range(100)), 10_000.0]
    bars = chart.histogram(before, before[::2])
    assert (sum(bar.before for bar in bars), sum(bar.after for bar in bars)) == (101, 51)
    assert bars[-1].high is None
    assert {round((bar.high or 0) - bar.low, 6) for bar in bars[:-1]} == {5.0}
    assert all(bar.after_height <= bar.before_height <= chart.HEIGHT for bar in bars)
    assert chart.histogram([], []) == []
    assert [bar.before for bar in chart.histogram([5.0, 5.0], [])][-1] == 2


def test_the_finds_of_a_source_are_counted_by_kind() -> None:
    found = Evidence(
        {}, [], pd.DataFrame({"source": ["a", "a", "b"], "redacted": [{"email": 2}, {"card": 1}, {}]}), {}, {}
    )
    assert accounting.personal_data(found) == {"a": {"card": 1, "email": 2, "records": 2}}


def test_rare_names_are_counted_together() -> None:
    names = pd.Series([f"topic {n}" for n in range(page.NAMES + 3) for _ in range(n + 1)])
    rows = page.bars(names, names)
    assert (len(rows), rows[-1]["name"], rows[-1]["before"]) == (page.NAMES + 1, "3 others", 1 + 2 + 3)
    assert sum(row["after"] for row in rows) == len(names)


def test_the_sources_that_name_a_reason_lead_to_its_drops(hostile: Path) -> None:
    found = Page(text_of(hostile))
    drops = Counter((at["data-stage"], at["data-reason"], at["data-source"]) for at in found.entries("stage"))
    for at in found.all("a"):
        wanted = dict(part.split("=") for part in unquote_plus(at["href"] or "").lstrip("#").split("&") if "=" in part)
        fitting = [drop for drop in drops if all(drop[STAGED.index(key)] == value for key, value in wanted.items())]
        assert fitting


def test_the_sample_names_what_it_is_for_and_what_is_wrong_with_it() -> None:
    told = read_yaml(SAMPLE / "params.yaml")["report"]
    assert told["title"]
    assert told["intended_use"]
    assert told["known_faults"]
