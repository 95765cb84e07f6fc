"""Pages of the web: text unlike what is trusted, domains on a list, and lines that stand on every page."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stages import checks
from stages.checks import web
from stages.contract import params, paths, pinned
from stages.contract.params import Stop
from stages.contract.pinned import Pin
from stages.contract.record import Record, decode, encode
from stages.text import perplexity
from tests.conftest import json_lines, record, run, stage

ENGLISH = (
    "Open the settings, choose your account and press the button that says remove. Then confirm it with your password."
)
GERMAN = (
    "Öffnen Sie die Einstellungen, wählen Sie Ihr Konto und drücken Sie auf Entfernen. Bestätigen Sie mit dem Kennwort."
)
FOOTER = "All rights reserved by nobody at all\nSubscribe to our newsletter today"


def page(said: str, **extra: Any) -> Record:
    return record("", said, meta={"extra": {"kind": "web", **extra}})


def measured(checked: Record, **given: Any) -> Any:
    return decode(encode(web.measure(checked, web.Measure(**given))))


def pin(path: Path, content: bytes) -> Pin:
    """A file of the project with its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Pin(path.relative_to(paths.ROOT).as_posix(), hashlib.sha256(content).hexdigest())


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    web.model.cache_clear()
    web.domains.cache_clear()
    return tmp_path


# the model


def test_text_like_the_trusted_is_less_surprising_than_other_text() -> None:
    model = perplexity.counted([f"{ENGLISH} {number}" for number in range(50)])
    usual, foreign, rubbish = (perplexity.perplexity(text, model) for text in (ENGLISH, GERMAN, "x7Qz&&kw 0x3F ~~" * 9))
    assert usual
    assert foreign
    assert rubbish
    assert usual < foreign / 3 < rubbish


def test_a_text_of_nothing_has_no_perplexity() -> None:
    assert perplexity.perplexity(" \n", perplexity.counted([ENGLISH])) is None


@given(st.text(min_size=1, max_size=80), st.lists(st.text(max_size=40), max_size=4))
def test_a_perplexity_is_at_least_one_and_does_not_depend_on_case_space_or_the_order_of_what_was_trusted(
    text: str, trusted: list[str]
) -> None:
    model = perplexity.counted(trusted)
    found = perplexity.perplexity(text, model)
    assert found is None or found >= 1
    assert found == perplexity.perplexity(f" {text.lower()}\n", perplexity.counted(reversed(trusted)))


def test_a_model_comes_back_from_its_file_and_the_same_counts_are_the_same_bytes() -> None:
    model = perplexity.counted([ENGLISH, GERMAN])
    assert (perplexity.unpacked(perplexity.packed(model)) == model).all()
    assert perplexity.packed(model) == perplexity.packed(perplexity.counted([GERMAN, ENGLISH]))


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_no_model_stops_and_says_so(root: Path, content: bytes) -> None:
    with pytest.raises(Stop, match=r"data/web/model: is no model.*make it again with `dataset fit web`"):
        web.model(pin(root / "data/web/model", content))


def test_a_file_that_unpacks_to_more_than_a_model_is_not_unpacked_whole(root: Path) -> None:
    import lzma

    with pytest.raises(Stop, match="is no model"):
        web.model(pin(root / "data/web/model", lzma.compress(bytes(200_000_000))))


# pins


def test_a_pinned_file_that_changed_is_gone_or_lies_elsewhere_stops(root: Path) -> None:
    found = pin(root / "list.txt", b"example.org")
    assert pinned.content(found) == b"example.org"
    (root / "list.txt").write_bytes(b"example.com")
    with pytest.raises(
        Stop, match=r"list\.txt: is not what params\.yaml pins; restore it, or set its sha256 to [0-9a-f]{64}"
    ):
        pinned.content(found)
    (root / "list.txt").unlink()
    with pytest.raises(Stop, match=r"list\.txt: is not there"):
        pinned.content(found)
    with pytest.raises(Stop, match="leaves the repository"):
        pinned.content(Pin("../list.txt", "0" * 64))


# what a page is dropped for


def test_only_pages_are_looked_at() -> None:
    assert web.measure(record(), web.Measure()) is None
    assert web.decide(None, web.Params(max_perplexity=1)) is None


def test_a_page_unlike_what_is_trusted_is_dropped(root: Path) -> None:
    made = perplexity.packed(perplexity.counted([f"{ENGLISH} {number}" for number in range(50)]))
    model = pin(root / "data/web/model.npy.xz", made)
    here, there = (measured(page(text), model=model) for text in (ENGLISH, GERMAN))
    limit = web.Params(max_perplexity=(here["perplexity"] + there["perplexity"]) / 2)
    assert [web.decide(each, limit) for each in (here, there)] == [None, "unlike_trusted_text"]
    assert web.decide(there, web.Params()) is None
    assert web.decide(measured(page(GERMAN)), limit) is None  # no model, no perplexity


@pytest.mark.parametrize(
    ("domain", "blocked"),
    [
        ("spam.example", True),
        ("shop.spam.example", True),
        ("notspam.example", False),
        ("example", False),
        ("tracker.net", True),
        (None, False),
    ],
)
def test_a_page_of_a_blocked_domain_or_of_one_below_it_is_dropped(
    root: Path, domain: str | None, blocked: bool
) -> None:
    listed = b"# not wanted\nwww.Spam.example\n\n0.0.0.0 tracker.net # as hosts files have it\n"
    limits = web.Params(blocked=pin(root / "data/web/blocked.txt", listed))
    value = measured(page(ENGLISH, **({"domain": domain} if domain else {})))
    assert web.decide(value, limits) == ("blocked_domain" if blocked else None)


def test_a_page_of_what_stands_on_every_page_is_dropped() -> None:
    pages = [page(f"{ENGLISH} Number {number} of them.\n{FOOTER}") for number in range(10)]
    pages += [page(f"Hi.\n{FOOTER}"), page(FOOTER.upper())]
    values = [measured(each) for each in pages]
    frequent = web.summary(values, web.Params())
    assert len(frequent) == 2
    assert not web.summary(iter([None, *values]), web.Params())  # no source of pages
    assert [web.decide(each, web.Params(), frequent) for each in values] == [None] * 10 + ["page_boilerplate"] * 2
    assert not web.summary(values, web.Params(boilerplate_pages=13))
    assert web.decide(values[-1], web.Params(max_boilerplate=None), frequent) is None


@given(st.lists(st.text(alphabet="ab \n", max_size=60), max_size=8), st.integers(2, 4))
def test_a_line_is_frequent_if_so_many_pages_have_it_however_often_each(texts: list[str], least: int) -> None:
    values = [measured(page(text)) for text in texts]
    lines = [{" ".join(line.split()) for line in text.splitlines() if line.strip().count(" ") >= 2} for text in texts]
    wanted = {line for each in lines for line in each if sum(line in other for other in lines) >= least}
    assert len(web.summary(values, web.Params(boilerplate_pages=least))) == len(wanted)


# the command, and a source of pages


def test_a_model_is_fitted_pinned_and_used(built: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(built, root)
    rows = [
        {"input": "", "output": text, "url": f"https://www.Pages.example/{n}"}
        for n, text in enumerate((ENGLISH, "Qx7 zzk" * 40))
    ]
    (root / "data/sources/pages.jsonl").write_text("\n".join(map(json.dumps, rows)))
    said = run("dataset", "fit", "web", "--sources", "faq,support", cwd=root).stdout
    assert "A limit to start from: filter.web.max_perplexity: " in said
    chosen = yaml.safe_load((root / "params.yaml").read_text())
    assert chosen["measure"]["web"]["model"]["path"] == "data/web/model.npy.xz"
    chosen["sources"]["pages"] = {
        "path": "data/sources/pages.jsonl",
        "licence": "MIT",
        "kind": "web",
        "url_field": "url",
    }
    chosen["filter"] = dict.fromkeys(checks.names(), "off") | {
        "web": {"max_perplexity": float(said.split("max_perplexity: ")[1].split()[0])}
    }
    (root / "params.yaml").write_text(yaml.safe_dump(chosen))
    before = (root / "data/web/model.npy.xz").read_bytes()
    for name in ("collect", "measure", "filter"):
        stage(root, name, "pages")
    assert [drop["reason"] for drop in json_lines(root / "data/dropped/filter/pages.jsonl")] == ["unlike_trusted_text"]
    assert {row["web"]["domain"] for row in json_lines(root / "data/scores/pages/00000.jsonl")[1:]} == {"pages.example"}
    run("dataset", "fit", "web", "--sources", "support,faq", cwd=root)
    assert (root / "data/web/model.npy.xz").read_bytes() == before
    (root / "data/web/model.npy.xz").write_bytes(b"another")
    shutil.rmtree(root / "data/scores/pages")
    assert "is not what params.yaml pins" in stage(root, "measure", "pages", code=2).stderr


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("seeds", "have fewer than 20000 characters; name more sources"),
        ("faqs", "did you mean faq?"),
    ],
)
def test_what_cannot_be_fitted_is_said(built: Path, names: str, said: str) -> None:
    assert said in run("dataset", "fit", "web", "--sources", names, cwd=built, code=2).stderr


def test_an_address_field_that_no_page_has_is_told(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(
        text.replace("    fields: {input: question", "    kind: web\n    url_field: link\n    fields: {input: question")
    )
    params.whole.cache_clear()
    assert "sources.faq.url_field: no row has 'link'" in stage(project, "collect", "faq", code=2).stderr
