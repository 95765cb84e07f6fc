"""`dataset diff` and `dataset trace` in a real repository with four versions, and the pure functions they are made of."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lineage import diff as differing
from lineage import trace as tracing
from lineage import version
from lineage.commands.trace import lines as lines_of_life
from lineage.difference import causes, distributions, inputs, markdown, page, pairs, retrial, rows, sections, terminal
from lineage.difference.pairs import Side
from stages.contract import params, paths
from stages.contract.params import Stop
from stages.contract.record import Drop
from tests import model_server
from tests.conftest import (
    GIT,
    REPOSITORY,
    choose,
    code_of_the_project,
    dvc,
    git,
    record,
    run,
    sample_project,
    without_generation,
)

KEPT = ("How do I print a list?", "Open the list, choose Print from its menu and pick a layout.")
EDITED = (
    "Why is my calendar empty?",
    "The calendar shows tasks with a due date only. Add a date to a task and it appears at once.",
)
REMOVED = (
    "Can I sort by colour?",
    "No, tasks have no colours. Tags are the nearest thing, and lists can be sorted by tag.",
)
LONG = (
    "What is a workspace?",
    "A workspace holds lists, people and settings. "
    + "Its owner pays for all members at once, sees who was invited and when, "
    "and may hand it on to another person before leaving. Guests never count.",
)
TWIN = (
    "How can I share a list with my sister?",
    "Open the list, press Share, and type her address. She gets a message with a link to join.",
)
NEAR = (
    "How can I share a list with my mother?",
    "Open the list, press Share, and type her address. She gets a mail with a link to join it.",
)
LOSER = (
    "Where do finished tasks go?",
    "Finished tasks move to the archive of their list, where they stay for a year and can be searched.",
)
WINNER = (LOSER[0], LOSER[1] + " Then they are deleted.")
ASKED = ("Who can see my notes?", "Only people who share the list can see the notes of its tasks.")
ADDRESS = ("Please write to jo.doe@mail.example about the invoice.", "Done: the invoice goes out today.")
FRESH = (
    "How do I mute a list?",
    "Choose Mute from the menu of the list; reminders of its tasks stay silent until you unmute it.",
)


def lines_of(*found: tuple[str, str]) -> str:
    return "".join(json.dumps({"prompt": asked, "completion": said}) + "\n" for asked, said in found)


def tickets(reply: str) -> str:
    found = [
        {"key": "t1", "prompt": ASKED[0], "completion": reply},
        {"key": "t2", "prompt": ADDRESS[0], "completion": ADDRESS[1]},
    ]
    return "".join(json.dumps(row) + "\n" for row in found)


def built(root, name):
    dvc(root, "repro")
    git(root, "add", "-A")
    git(root, "commit", "-qm", name)
    git(root, "tag", name)


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """A repository with the versions `dataset@v1.0.0`, `edited`, `settings` and `renamed`, each built by DVC."""
    root = tmp_path_factory.mktemp("versions") / "project"
    code_of_the_project(root)
    without_generation(sample_project(root))
    shutil.rmtree(root / "data/sources")
    log = {"path": "data/sources/log.jsonl", "licence": "CC0-1.0"}
    keyed = {"path": "data/sources/tickets.jsonl", "licence": "CC0-1.0", "id_field": "key"}
    choose(root, {"sources": {"log": log, "tickets": keyed}, "gate": {"rules": []}, "split.near": 0.8})
    git(root, "init", "-q", "-b", "main")
    (root / "data/sources").mkdir()
    (root / log["path"]).write_text(lines_of(KEPT, EDITED, REMOVED, LONG, TWIN, NEAR, LOSER))
    (root / keyed["path"]).write_text(tickets(ASKED[1]))
    built(root, "dataset@v1.0.0")
    edit = (EDITED[0], EDITED[1].replace("at once", "within a second"))
    (root / log["path"]).write_text(lines_of(KEPT, edit, LONG, TWIN, NEAR, LOSER, WINNER, FRESH))
    (root / keyed["path"]).write_text(tickets(ASKED[1].replace("Only", "Just the")))
    built(root, "edited")
    choose(root, {"filter.length.max_reply_tokens": 35, "dedup.threshold": 0.72})
    built(root, "settings")
    choose(root, {"sources": {"log": log, "calls": keyed}, "collect.redact": ["phone"]})
    built(root, "renamed")
    return root


@pytest.fixture
def at(versions, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", versions)
    params.whole.cache_clear()
    return versions


def found(before, after, asked, **more):
    """The rows that differ and ask this, with their texts."""
    shown = differing.diff(before, after, sample=99, **more).rows
    return [row for row in shown if any(f"user: {asked}" in line for line in row.text) or asked in "".join(row.text)]


def dataset(root, *words, code=0):
    program = ("python", "-c", "from lineage.commands import main; main()", *words)
    return run(*program, cwd=root, code=code, PYTHONPATH="", DVC_NO_ANALYTICS="1", **GIT)


# rows and their causes


def test_a_version_differs_in_nothing_from_itself(at):
    same = differing.diff("edited", "edited")
    assert (same.rows, same.settings, same.sources, same.code, same.metrics, same.gate) == ([], [], [], {}, [], [])
    assert same.counts.unchanged == same.counts.before == same.counts.after > 0
    assert all(each.divergence == 0 for each in same.distributions)


def test_an_edited_row_with_an_id_of_its_content_is_paired_with_its_former_self(at):
    (row,) = found("v1.0.0", "edited", "within a second")
    assert (row.how in ("changed", "moved"), row.fields) == (True, ["assistant"])
    assert row.former != row.id
    assert row.cause.what.startswith("edited")
    assert (row.cause.certainty, row.cause.because) == ("consistent", ["rows of log"])
    assert [line[0] for line in row.text] == ["-", "+"]


def test_an_edited_row_with_a_declared_id_keeps_it(at):
    (row,) = found("v1.0.0", "edited", "Just the people")
    assert (row.how, row.former, row.fields, row.cause.because) == ("changed", "", ["assistant"], ["rows of tickets"])


def test_a_row_that_is_new_or_gone_in_the_source_says_so(at):
    assert [(row.how, row.cause.what) for row in found("v1.0.0", "edited", FRESH[0])] == [("added", "new source row")]
    assert [(row.how, row.cause.what) for row in found("v1.0.0", "edited", REMOVED[0])] == [
        ("removed", "removed source row")
    ]
    assert [(row.how, row.cause.what) for row in found("edited", "v1.0.0", REMOVED[0])] == [("added", "new source row")]


def test_a_row_that_lost_to_a_new_duplicate_names_it(at):
    rows_found = found("v1.0.0", "edited", LOSER[0])
    (new,), (lost,) = ([row for row in rows_found if row.how == how] for how in ("added", "removed"))
    assert (lost.cause.what, lost.cause.stage, lost.cause.reason) == ("dropped", "dedup", "near_duplicate")
    assert lost.cause.record == new.id
    assert (lost.cause.certainty, lost.cause.because) == ("consistent", [f"record {new.id}, which is new"])
    back = [row for row in found("edited", "v1.0.0", LOSER[0]) if row.how == "added"]
    assert [(row.cause.what, row.cause.because) for row in back] == [("released", [f"record {new.id}, which is gone"])]


def test_a_setting_that_flips_a_row_by_itself_is_proven(at):
    (long,) = found("edited", "settings", LONG[0])
    assert (long.cause.stage, long.cause.reason, long.cause.certainty) == ("filter", "reply_too_long", "proven")
    assert long.cause.because == ["filter.length.max_reply_tokens 4000 -> 35"]
    (near,) = found("edited", "settings", "share a list")
    assert (near.cause.stage, near.cause.certainty) == ("dedup", "proven")
    assert near.cause.because == ["dedup.threshold 0.8 -> 0.72"]
    assert near.cause.record


def test_of_settings_that_each_flip_a_row_none_is_chosen_and_one_that_does_not_is_left_out(at):
    names, read = rows.Names(), {}
    tables = tuple(rows.table(version.commit_of(each), names, read) for each in ("edited", "settings"))
    both = causes.Both(tables, ({}, {}), ({}, {}), {})
    length = {"prompt_tokens": 5, "reply_tokens": 40, "tokens": 45, "words": 30}
    kept, drop = {"length": length, "repetition": 0.0}, Drop("0" * 32, "log", "filter", "reply_too_long", {})
    reply, whole, prompt = (
        (f"filter.length.{name}", before, after)
        for name, before, after in (
            ("max_reply_tokens", 4000, 35),
            ("max_tokens", 8192, 40),
            ("min_prompt_tokens", 2, 3),
        )
    )
    assert retrial.alone(both, drop, 1, [kept, kept], [reply, whole, prompt]) == [reply, whole]
    assert retrial.alone(both, drop, 1, [kept, kept], [reply, prompt]) == [reply]
    assert (
        retrial.alone(both, drop, 1, [kept, kept], [prompt]) is None
    )  # which decides otherwise than the two versions did


def test_a_release_is_the_same_the_other_way_round(at):
    (long,) = found("settings", "edited", LONG[0])
    assert (long.how, long.cause.what, long.cause.certainty) == ("added", "released", "proven")
    assert long.cause.because == ["filter.length.max_reply_tokens 35 -> 4000"]


def test_a_renamed_source_is_the_same_source_and_redaction_is_told_from_an_edit(at):
    told = differing.diff("settings", "renamed")
    assert [(each.name, each.how, each.before) for each in told.sources] == [("calls", "renamed", "tickets")]
    assert {row.source for row in told.rows} == {"calls"}
    assert (told.counts.added, told.counts.removed) == (0, 0)
    (row,) = found("settings", "renamed", "jo.doe@mail.example")
    assert row.cause.what == "redaction changed"
    assert any("collect.redact" in each for each in row.cause.because)


@pytest.mark.parametrize(("before", "after"), [("v1.0.0", "edited"), ("edited", "settings"), ("renamed", "v1.0.0")])
def test_every_row_is_counted_once(at, before, after):
    told = differing.diff(before, after)
    for counts in (told.counts, *told.splits.values()):
        ours = counts.removed + counts.changed + counts.unchanged
        theirs = counts.added + counts.changed + counts.unchanged
        arrived, departed = (counts.arrived, counts.departed) if counts is not told.counts else (counts.moved,) * 2
        assert (counts.before, counts.after) == (ours + departed, theirs + arrived)
    assert all(row.cause.what and row.cause.because for row in told.rows)
    assert sum(group.rows for group in told.causes) == len(told.rows)
    for name in ("added", "removed", "changed"):
        assert getattr(told.counts, name) == sum(getattr(each, name) for each in told.splits.values())


def test_a_split_and_a_stage_narrow_the_rows(at):
    whole = differing.diff("edited", "settings").rows
    assert differing.diff("edited", "settings", stage="filter").rows == [
        row for row in whole if row.cause.stage == "filter"
    ]
    for split in paths.SPLITS:
        narrowed = differing.diff("edited", "settings", split=split)
        assert narrowed.rows == [row for row in whole if split in (row.split, row.former_split)]
        assert [*narrowed.splits] == [split]


def test_settings_that_were_not_built_are_said_to_be(at, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(at, root, symlinks=True)
    choose(root, {"judge.threshold": 4.5})
    monkeypatch.setattr(paths, "ROOT", root)
    params.whole.cache_clear()
    assert [note for note in differing.diff("renamed").notes if "judge.threshold" in note and "dvc repro" in note]


@pytest.fixture(scope="module")
def judged(versions, tmp_path_factory):
    """The repository with three versions more, judged by a model: `scored`, `capped` with other weights too, `crowded`."""
    root = tmp_path_factory.mktemp("judged") / "project"
    shutil.copytree(versions, root, symlinks=True)
    shutil.copy(REPOSITORY / "data/models.yaml", root / "data")
    own = {"OPENAI_API_KEY": model_server.KEY, "DATASET_MAX_USD": "1", "PYTHONPATH": "", **GIT}

    def version_of(name, **chosen):
        choose(root, chosen)
        run("dvc", "repro", cwd=root, **own)
        git(root, "add", "-A")
        git(root, "commit", "-qm", name)
        git(root, "tag", name)

    with model_server.running() as server:
        server.reply = unsure_of_printing
        model = {"provider": "openai", "address": f"{server.address}/v1", "model": "gpt-6-luna"}
        judge = {"threshold": 3.5, "min_dimension": 1, "canaries": 2, "rubric": "data/rubrics/general.yaml"}
        version_of("scored", **{"models.stages": {"judge": model}, "judge": judge})
        calls = server.calls
        version_of("capped", **{"judge.weights": {"accuracy": 20, "tone": 2}, "balance.max_per_source": 2})
        assert server.calls == calls
        log = root / "data/sources/log.jsonl"
        log.write_text(log.read_text() + lines_of(*((f"What is {word}?", f"A {word}.") for word in COLOURS)))
        version_of("crowded")
    return root


COLOURS = ("red", "green", "blue", "brown", "yellow", "purple", "orange", "black", "white")


def unsure_of_printing(prompt):
    """What a model says that finds one reply well written and wrong: 4 by the rubric's own weights."""
    scores = dict.fromkeys(("accuracy", "relevance", "completeness", "clarity", "tone"), 5)
    return json.dumps({"reasoning": "So be it."} | scores | ({"accuracy": 2} if KEPT[0] in prompt else {}))


@pytest.fixture
def model(judged, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", judged)
    params.whole.cache_clear()
    return judged


def test_what_a_models_scores_weigh_is_decided_again_without_asking_it(model):
    (row,) = found("scored", "capped", KEPT[0])
    assert (row.how, row.cause.stage, row.cause.reason) == ("removed", "judge", "low_score")
    assert (row.cause.certainty, row.cause.because) == ("proven", ["judge.weights.accuracy not there -> 20"])
    (back,) = found("capped", "scored", KEPT[0])
    assert (back.cause.what, back.cause.certainty) == ("released", "proven")
    assert back.cause.because == ["judge.weights.accuracy 20 -> not there"]


def test_a_cap_is_decided_again_on_the_records_of_the_former_version(model):
    told = [row for row in differing.diff("scored", "capped").rows if row.cause.stage == "balance"]
    assert {row.how for row in told} == {"removed"}
    assert {(row.cause.certainty, *row.cause.because) for row in told} == {
        ("proven", "balance.max_per_source null -> 2")
    }
    back = [row for row in differing.diff("capped", "scored").rows if row.cause.stage == "balance"]
    assert {(row.cause.what, row.cause.certainty) for row in back} == {("released", "proven")}
    assert {row.id for row in back} == {row.id for row in told}


def test_what_new_records_displaced_is_not_said_to_be_proven(model):
    told = [row for row in differing.diff("capped", "crowded").rows if row.cause.stage == "balance"]
    assert told
    assert {(row.cause.certainty, *row.cause.because) for row in told} == {("consistent", "other records")}
    both = [row for row in differing.diff("scored", "crowded").rows if row.cause.stage == "balance"]
    assert {row.id for row in told} <= {row.id for row in both}
    displaced = [row for row in both if row.id in {row.id for row in told}]
    assert {(row.cause.certainty, *row.cause.because) for row in displaced} == {
        ("several", "balance.max_per_source null -> 2", "other records")
    }


# what went into them


TREES = st.recursive(
    st.one_of(st.integers(0, 3), st.text("ab", max_size=2), st.none()),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from("abcd"), TREES, max_size=3),
    st.dictionaries(st.sampled_from("abcd"), TREES, max_size=3),
)
def test_the_values_that_differ_make_one_tree_of_the_other(one, other):
    found = list(inputs.leaves({"root": one}, {"root": other}))
    assert pruned(retrial.with_settings({"root": one}, found)) == pruned({"root": other})
    assert list(inputs.leaves(one, one)) == []


def pruned(tree):
    """A tree without the empty mappings that taking values out leaves behind."""
    if not isinstance(tree, dict):
        return tree
    inner = {key: pruned(value) for key, value in tree.items()}
    return {key: value for key, value in inner.items() if value != {}}


# rows


IDS = st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), unique=True, max_size=40)


@given(IDS, IDS)
def test_a_record_is_found_by_its_id_where_it_stands(known, asked):
    shared = ["0" * 16 + "f" * 16, "0" * 32, "0" * 15 + "1" + "0" * 16]
    known = [*dict.fromkeys(known + shared)]
    table = rows.ordered([columns(known)])
    held = [f"{int(high):016x}{int(low):016x}" for high, low in zip(table.high, table.low, strict=True)]
    assert held == sorted(known)
    wanted = [*asked, *known]
    assert rows.places(table, *rows.halves("".join(wanted))).tolist() == [
        held.index(each) if each in known else -1 for each in wanted
    ]


def columns(identifiers):
    high, low = rows.halves("".join(identifiers))
    none = np.zeros(len(identifiers), np.int32)
    fields = dict.fromkeys(rows.Columns.__struct_fields__, none) | {"high": high, "low": low}
    return rows.Columns(**fields)


SENTENCES = [
    "Open the menu and choose Rename.",
    "Lists are sorted by date, newest first.",
    "A tag is a word with a colour.",
]


@given(st.lists(st.sampled_from(SENTENCES), max_size=6), st.lists(st.sampled_from(SENTENCES), max_size=6))
def test_a_row_has_one_former_self_at_most_and_equal_rows_are_paired_first(gone, new):
    ours, theirs = ([Side(str(n), f"f:{n}", record(said=text)) for n, text in enumerate(each)] for each in (gone, new))
    found = pairs.paired(ours, theirs)
    assert len({one for one, _ in found}) == len({other for _, other in found}) == len(found)
    same = sum(gone[one] == new[other] for one, other in found)
    assert same == sum(min(gone.count(text), new.count(text)) for text in SENTENCES)


def test_of_equally_alike_rows_the_one_in_the_same_place_is_the_former_self():
    ours = [
        Side("a", "f:1", record(said="Open the menu and choose Rename.")),
        Side("b", "f:7", record(said="Open the menu and choose Rename.")),
    ]
    theirs = [
        Side("c", "f:7", record(said="Open the menu and choose Rename it.")),
        Side("d", "f:1", record(said="Open the menu and choose Rename it.")),
    ]
    assert pairs.paired(ours, theirs) == [(0, 1), (1, 0)]


def test_rows_that_have_nothing_in_common_are_no_pair():
    one = Side("a", "f:1", record("How do I rename a list?", "Open its menu and choose Rename."))
    other = Side("b", "f:1", record("What does a plan cost?", "Four euros a month, or forty a year."))
    assert pairs.paired([one], [other]) == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=9))
def test_the_divergence_is_between_none_and_one_and_the_same_both_ways(counts):
    one, other = map(list, zip(*counts, strict=True))
    far = distributions.divergence(one, other)
    assert 0 <= far <= 1 + 1e-9
    assert far == pytest.approx(distributions.divergence(other, one))
    assert distributions.divergence(one, [3 * each for each in one]) == pytest.approx(0, abs=1e-9)


def test_what_shares_nothing_is_as_far_apart_as_can_be():
    assert distributions.divergence([5, 0], [0, 9]) == pytest.approx(1)


@given(st.lists(st.integers(0, 100_000), min_size=1))
def test_every_length_is_in_a_bin_that_begins_at_or_below_it(values):
    found = distributions.numbers("length", "words", np.array(values), np.array([], np.int64))
    assert sum(each.before for each in found.bins) == len(values)
    for value in values:
        place = int(distributions.by_step(np.array([value]))[0])
        assert int(distributions.step(place)) <= value < max(1, int(distributions.step(place + 1)))


# limits


@pytest.mark.parametrize(
    ("limit", "met"),
    [
        ("removed>0", True),
        ("removed>5%", True),
        ("removed>100%", False),
        ("added>=1", False),
        ("unchanged<1", False),
        ("topic>0.9", False),
    ],
)
def test_a_limit_is_met_or_not(at, limit, met):
    told = differing.diff("edited", "settings")
    assert bool(differing.over(told, [differing.limit(limit)])) == met


@pytest.mark.parametrize(
    "limit", ["removed", "removed>", "rows>5", "dev.removed>5", "removed>5%%", "removed>-1", "; rm -rf /"]
)
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(Stop, match="is no limit"):
        differing.limit(limit)


# forms


def crowded(told, hostile, count):
    """The same difference with many rows and settings of a hostile text."""
    told.settings = [inputs.Change(f"{hostile}{n}", hostile, hostile) for n in range(count)]
    told.notes, told.before = [hostile], hostile
    for row in told.rows:
        row.text = [f"- {hostile}"] * count
    told.rows = told.rows * count
    told.causes = told.causes * count
    return told


@pytest.mark.parametrize(
    "hostile", ["|" * 300, "`" * 300, "@all <script>alert(1)</script> https://x.example\n# x", "ü" * 300]
)
def test_the_comment_fits_into_a_pull_request_however_much_differs(at, hostile):
    text = markdown.page(crowded(differing.diff("v1.0.0", "edited", sample=9), hostile, 60))
    assert len(text) <= markdown.LARGEST == 65_536
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    plain = "".join(
        each.content for token in tokens for each in token.children or [] if each.type in ("text", "html_inline")
    )
    assert "<script>" not in plain
    assert "@all" not in plain


@given(st.text(max_size=120))
def test_a_value_is_code_in_markdown_and_nothing_else(text):
    shown = markdown.code(text)
    inner = [
        each
        for token in MarkdownIt("commonmark").enable("table").parse(f"| a |\n|---|\n| {shown} |\n")
        for each in token.children or []
    ]
    assert [each.type for each in inner][1:] == (["code_inline"] if shown else [])


def test_the_page_is_one_file_that_runs_and_loads_nothing(at):
    hostile = "<script>alert(1)</script><img src=https://x.example>"
    html = page.page(crowded(differing.diff("v1.0.0", "edited", sample=9), hostile, 2))
    assert "default-src 'none'" in html
    assert "<script" not in html.lower()
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_no_text_of_a_record_steers_the_terminal(at):
    lines = list(terminal.lines(crowded(differing.diff("v1.0.0", "edited", sample=9), "\x1b[2J\u202e\n", 2)))
    assert not [line for line in lines if "\x1b[2J" in line or "\u202e" in line or "\n" in line]


def test_every_layer_has_its_table(at):
    titles = [section.title for section in sections.sections(differing.diff("v1.0.0", "edited"))]
    assert titles == ["Settings", "Sources", "Code", "Rows", "Why", "Distributions", "Metrics", "Gate"]


# the command


def test_the_command_writes_all_forms_and_fails_on_a_limit(versions):
    told = json.loads(dataset(versions, "diff", "v1.0.0", "edited", "--json").stdout)
    assert told["counts"]["removed"] == 2
    assert "### Dataset" in dataset(versions, "diff", "v1.0.0", "edited", "--format", "md").stdout
    assert "<!doctype html>" in dataset(versions, "diff", "v1.0.0", "edited", "--format", "html").stdout
    failed = dataset(versions, "diff", "v1.0.0", "edited", "--fail-on", "removed>1", code=1)
    assert "removed>1: it is 2" in failed.stderr
    assert git(versions, "status", "--porcelain") == ""


# revisions


def test_a_release_is_named_by_its_version_alone(at):
    full = git(at, "rev-parse", "dataset@v1.0.0^{commit}").strip()
    assert {version.commit_of(each) for each in ("v1.0.0", "1.0.0", "dataset@v1.0.0", full, full[:9])} == {full}


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("no-such-tag", "is no commit, tag or branch here"),
        ("v9.9.9", "is no commit, tag or branch here"),
        ("", "is no commit"),
        ("a..b", "without dots"),
        ("f" * 40, "the history was rewritten"),
        ("$(touch pwned)", "is no commit"),
        ("--output=pwned", "is no commit"),
        ("\x1b[2J\nx", r"\x1b[2J\nx: is no commit"),
        ("HEAD:dvc.yaml", "is no commit"),
    ],
)
def test_a_revision_that_is_none_is_one_line_and_exit_2(versions, revision, said):
    error = dataset(versions, "diff", "--", revision, "edited", code=2).stderr
    assert said in error
    assert len(error.splitlines()) == 1
    assert git(versions, "status", "--porcelain") == ""


def clone(versions, tmp_path, *words):
    git(versions.parent, "clone", "-q", *words, versions.as_uri(), str(tmp_path / "clone"))
    return tmp_path / "clone"


def test_a_tag_that_looks_like_an_option_or_a_command_is_a_tag(versions, tmp_path):
    root = clone(versions, tmp_path)
    (root / ".dvc/config.local").write_text(f"[cache]\n    dir = {versions}/.dvc/cache\n")
    for name in ("--output=pwned", "$(touch${IFS}pwned)"):
        git(root, "update-ref", f"refs/tags/{name}", "edited^{commit}")
        assert dataset(root, "diff", "--", name, "edited").stdout
    assert git(root, "status", "--porcelain") == ""


def test_a_name_of_a_tag_and_a_branch_is_refused(versions, tmp_path):
    root = clone(versions, tmp_path)
    git(root, "branch", "edited", "dataset@v1.0.0")
    error = dataset(root, "diff", "edited", code=2).stderr
    assert "refs/heads/edited and refs/tags/edited" in error


def test_a_shallow_clone_says_what_brings_the_rest(versions, tmp_path):
    root = clone(versions, tmp_path, "--depth", "1")
    error = dataset(root, "diff", "HEAD~2", "HEAD", code=2).stderr
    assert "git fetch --unshallow" in error
    assert len(error.splitlines()) == 1


def test_a_commit_before_the_pipeline_names_no_data(versions, tmp_path):
    root = clone(versions, tmp_path)
    git(root, "checkout", "-q", "--orphan", "empty")
    git(root, "rm", "-rfq", ".")
    (root / "note").write_text("first\n")
    git(root, "add", "note")
    git(root, "commit", "-qm", "Nothing yet")
    git(root, "checkout", "-q", "main")
    error = dataset(root, "diff", "empty", "main", code=2).stderr
    assert "empty: has no dvc.yaml" in error
    assert len(error.splitlines()) == 1


def test_a_cache_that_is_missing_is_read_from_the_remote_and_else_says_what_to_do(versions, tmp_path):
    remote = tmp_path / "remote"
    root = clone(versions, tmp_path)
    (root / ".dvc/config.local").write_text(f"[core]\n    remote = here\n['remote \"here\"']\n    url = {remote}\n")
    error = dataset(root, "diff", "v1.0.0", "edited", code=2).stderr
    assert "neither in the cache nor in the remote" in error
    assert len(error.splitlines()) == 1
    shutil.copytree(versions / ".dvc/cache/files", remote / "files")
    assert json.loads(dataset(root, "diff", "v1.0.0", "edited", "--json").stdout)["counts"]["removed"] == 2


def test_entries_of_stages_that_are_gone_are_not_read(at):
    locked = version.lock("renamed")
    assert "collect@calls" in locked
    assert "collect@tickets" not in locked  # which DVC keeps in dvc.lock
    assert b"collect@tickets" in version.in_git("dvc.lock", "renamed")


def test_a_merge_commit_is_a_version(at):
    merge = git(at, "commit-tree", "edited^{tree}", "-p", "edited", "-p", "dataset@v1.0.0", "-m", "Merge").strip()
    assert differing.diff("edited", merge).rows == []


# trace


def trace_of(asked, revision):
    return tracing.trace(tracing.by_text(asked, revision), revision)


def test_a_record_tells_its_life(at):
    life = trace_of(KEPT[1], "edited")
    assert life.origin == "data/sources/log.jsonl:1"
    assert [step.stage for step in life.steps] == list(tracing.STAGES)
    assert not any(step.dropped for step in life.steps)
    assert life.steps[-1].said == f"data/curated/{life.split}.jsonl"
    tags = {tag for held in life.exposure.versions for tag in held.tags}
    assert tags == {"dataset@v1.0.0", "edited", "settings", "renamed"}


def test_a_dropped_record_tells_why_and_whom_it_lost_to(at):
    life = trace_of("searched.", "v1.0.0")
    lost = tracing.trace(life.id, "edited")
    assert lost.steps[-1].dropped
    assert lost.steps[-1].stage == "dedup"
    (winner,) = lost.lost_to
    assert winner.id == lost.steps[-1].records[0]
    assert lost.id in next(step for step in winner.steps if step.stage == "dedup").records


def test_a_life_is_told_in_lines_that_fit_and_names_each_measure(at, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = list(lines_of_life(trace_of("about the invoice", "edited")))
    steps = text[text.index("") + 1 : text.index("", text.index("") + 1)]
    assert max(map(len, steps)) <= 80
    measured = " ".join(" ".join(steps).split("measure", 1)[1].split())
    assert "; language: prompt en" in measured
    assert ": ;" not in measured


def test_what_redaction_removed_is_told_by_kind_and_count(at):
    life = trace_of("about the invoice", "edited")
    assert life.redacted == {"email": 1}
    assert "jo.doe" not in repr(life)


def test_a_record_is_found_by_where_its_row_stands(at):
    identifier = tracing.by_origin("data/sources/log.jsonl:1", "edited")
    assert tracing.trace(identifier, "edited").record.messages[0].content == KEPT[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["abc"], "too short"),
        (["ffffffffff"], "no version holds it"),
        (["--text", "a list"], "several records are found so"),
        (["--text", "nobody ever said this"], "no record is found so"),
        (["--origin", "nowhere.jsonl:1"], "no record is found so"),
        (["abcdef", "--text", "x"], "give it one"),
        ([], "give it one"),
        (["abcdef", "--rev", "nowhere"], "nowhere: is no commit"),
    ],
)
def test_misuse_of_trace_is_one_line_and_exit_2(versions, words, said):
    error = dataset(versions, "trace", *words, code=2).stderr
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_record_of_another_version_is_traced_there(versions, at):
    identifier = next(
        row.id for row in differing.diff("settings", "edited").rows if row.how == "added" and not row.former
    )
    gone = next(row.id for row in differing.diff("v1.0.0", "edited").rows if row.cause.what == "removed source row")
    assert dataset(versions, "trace", identifier, "--rev", "edited").stdout
    assert (
        "--rev dataset@v1.0.0` is the newest version that holds it" in dataset(versions, "trace", gone, code=2).stderr
    )
