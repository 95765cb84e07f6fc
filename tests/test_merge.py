"""`dataset merge` in real repositories: two people, two branches, and a pipeline that DVC calls up to date."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lineage.merging import built, keys, rows
from stages.contract.params import read_yaml
from tests.conftest import (
    GIT,
    SAMPLE,
    choose,
    code_of_the_project,
    dvc,
    git,
    run,
    sample_project,
    without_generation,
)

LOG, FOLDER, GOLD = "data/sources/log.jsonl", "data/sources/batches", "data/eval/gold.jsonl"
END = "\n--- stderr ---\n"
MARKERS = ("<<<<<<<", ">>>>>>>")


# params.yaml by key

OWN = """
filter:
  length: # tokens of o200k_base
    min_prompt_tokens: 2
    max_prompt_tokens: 8000
    max_reply_tokens: 4000

balance:
  weights: {}

decontaminate:
  words: 8 # in a row

gate:
  rules:
    - name: examples fit the context on average
      max: 2048
    - name: the longest example fits the context
      max: 8192
"""
WAIVED = '    - {rule: enough examples, reason: a pilot, who: Ada, until: "2999-12-31"}\n'
JUDGE = "\njudge:\n"
PARAMS = (SAMPLE / "params.yaml").read_text().replace(JUDGE, f"{JUDGE}  threshold: 3.5 # of 1 to 5\n") + OWN


def by_key(ours: str, theirs: str, base: str = PARAMS) -> tuple[str, list[keys.Clash], list[str]]:
    return keys.merge(base, ours, theirs)


def with_source(name: str, text: str = PARAMS) -> str:
    return text.replace(
        "\n# The frozen", f"  {name}: # new\n    path: data/{name}\n    licence: CC0-1.0\n\n# The frozen"
    )


def test_nothing_changed_keeps_every_byte():
    assert by_key(PARAMS, PARAMS) == (PARAMS, [], [])


def test_what_only_they_changed_gives_their_file_byte_for_byte():
    theirs = with_source("wiki", PARAMS).replace("count: 200", "count: 300").replace("weights: {}", "weights: {faq: 2}")
    text, clashes, taken = by_key(PARAMS, theirs)
    assert (text, clashes) == (theirs, [])
    assert taken == ["sources.wiki", "generate.count", "balance.weights.faq"]


def test_params_next_to_each_other_are_merged():
    ours = PARAMS.replace("min_prompt_tokens: 2", "min_prompt_tokens: 3")
    theirs = PARAMS.replace("max_prompt_tokens: 8000", "max_prompt_tokens: 7000")
    text, clashes, _ = by_key(ours, theirs)
    assert clashes == []
    assert text == ours.replace("max_prompt_tokens: 8000", "max_prompt_tokens: 7000")


def test_sources_that_both_added_both_stay_and_comments_stay_where_they_were():
    text, clashes, _ = by_key(with_source("log"), with_source("wiki"))
    assert clashes == []
    assert text == with_source("log", with_source("wiki"))


def test_a_key_that_both_changed_is_named_with_both_values_and_ours_stands():
    ours, theirs = (PARAMS.replace("threshold: 3.5", f"threshold: {value}") for value in (3.0, 4))
    text, clashes, _ = by_key(ours, theirs)
    assert clashes == [keys.Clash("judge.threshold", "3.5", "3.0", "4")]
    assert text == ours


def test_a_source_that_one_took_out_and_the_other_changed_is_a_clash():
    faq = PARAMS.split("  faq:")[1].split("  preferences:")[0]
    text, clashes, _ = by_key(PARAMS.replace("  faq:" + faq, ""), PARAMS.replace("faq.csv", "other.csv"))
    assert [(clash.key, clash.ours) for clash in clashes] == [("sources.faq", "not there")]
    assert "faq.csv" not in text


def test_what_they_took_out_goes_with_its_comment():
    stage = PARAMS[PARAMS.index("generate:\n") : PARAMS.index("judge:\n")]
    text, clashes, taken = by_key(with_source("log"), PARAMS.replace(stage, ""))
    assert (text, clashes, taken) == (with_source("log").replace(stage, ""), [], ["generate"])


def test_rules_of_the_gate_are_merged_by_their_names():
    ours, theirs = (
        PARAMS.replace("      max: 2048", "      max: 1024"),
        PARAMS.replace("      max: 8192", "      max: 4096"),
    )
    text, clashes, taken = by_key(ours, theirs)
    assert clashes == []
    assert text == ours.replace("      max: 8192", "      max: 4096")
    assert taken == ["gate.rules[the longest example fits the context].max"]


def test_their_comment_comes_with_their_value_unless_ours_is_new():
    theirs = PARAMS.replace("threshold: 3.5 # of 1 to 5", "threshold: 3.0 # lower for the log")
    assert "threshold: 3.0 # lower for the log" in by_key(PARAMS, theirs)[0]
    assert "threshold: 3.0 # ask Eva" in by_key(PARAMS.replace("3.5 # of 1 to 5", "3.5 # ask Eva"), theirs)[0]


def test_one_and_true_are_two_values():
    assert by_key("a: 1\n", "a: true\n", "a: 1\n")[0] == "a: true\n"
    assert [clash.key for clash in by_key("a: 1\n", "a: true\n", "a: 0\n")[1]] == ["a"]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("a: {}\n", "a:\n  b: 1\n", "a: {c: 2}\n", {"a": {"b": 1, "c": 2}}),
        ("a:\n", "a:\n", "a: [1, 2] # two\n", {"a": [1, 2]}),
        ("a: 1", "a: 1\nö: 2", "a: ä\nb: 3", {"a": "ä", "ö": 2, "b": 3}),
        ("a:\n  b: 1\n", "a:\n    b: 1\n    c: 2\n", "a:\n  b: 1\n  d: |\n    x\n\n    # no comment\n", None),
        ("a: 1\nb: 2\n", "b: 2\n# end\n", "a: 1\nb: 3\nc: [\n  1]\n", {"b": 3, "c": [1]}),
    ],
)
def test_layouts_that_differ_are_merged_as_data(base, ours, theirs, merged):
    text, clashes, _ = by_key(ours, theirs, base)
    assert clashes == []
    assert keys.Page(text).data == (merged or {"a": {"b": 1, "c": 2, "d": "x\n\n# no comment\n"}})


def test_a_layout_that_cannot_be_edited_is_refused_and_not_guessed():
    with pytest.raises(yaml.YAMLError, match="laid out"):
        by_key("x: &x {a: 1}\ny: *x\n", "x: &x {a: 2}\ny: *x\nz: 1\n", "x: &x {a: 1}\ny: {a: 3}\n")


VALUES = st.recursive(
    st.sampled_from([1, 2, "on", "a: b", None, True, 1.5, "", "# no", [1], [], {}]),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
TREES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4).map(
    lambda tree: json.loads(json.dumps(tree))  # values of its own: for shared ones YAML writes anchors
)


@given(TREES, TREES, TREES)
def test_sides_swapped_give_the_same_data_and_the_same_clashes(base, ours, theirs):
    clashes: list[keys.Clash] = []
    swapped: list[keys.Clash] = []
    one = keys.merged(base, ours, theirs, "", clashes, [])
    other = keys.merged(base, theirs, ours, "", swapped, [])
    assert {clash.key for clash in clashes} == {clash.key for clash in swapped}
    assert clashes or keys.same(one, other)


@given(TREES, TREES, TREES)
def test_the_text_says_what_the_data_is(base, ours, theirs):
    kept = {"kept": 1}  # a params.yaml is never empty
    texts = [yaml.safe_dump(kept | tree, sort_keys=False) for tree in (base, ours, theirs)]
    text, clashes, _ = by_key(texts[1], texts[2], texts[0])
    named: list[keys.Clash] = []
    assert keys.same(keys.Page(text).data, kept | keys.merged(base, ours, theirs, "", named, []))
    assert clashes == named


# rows, and the lock


def test_added_rows_are_taken_from_both_in_order_and_equal_ones_once():
    assert rows.union(b"1\n2\n", b"1\n2\n3\n4\n", b"1\n2\n4\n5\n") == (b"1\n2\n3\n4\n5\n", 2, 1)


def test_a_last_line_without_an_end_is_a_row():
    assert rows.union(b"1", b"1\n2", b"1\n3") == (b"1\n2\n3\n", 1, 1)


@pytest.mark.parametrize("theirs", [b"1\n", b"2\n1\n", b"1\n9\n", b""])
def test_rows_taken_out_moved_or_changed_are_no_union(theirs):
    assert rows.union(b"1\n2\n", b"1\n2\n3\n", theirs) is None


def lock(**stages: str) -> bytes:
    body = "".join(f"  {name}:\n    cmd: {name}\n    outs: {value}\n" for name, value in stages.items())
    return f"schema: '2.0'\nstages:\n{body}".encode()


def test_a_lock_takes_each_stage_whole_from_the_side_that_changed_it():
    base = lock(a="1", b="1", c="1", gone="1")
    merged = built.lock(base, lock(a="2", b="1", c="2", gone="1"), lock(a="1", b="3", c="3", new="1"))
    assert merged == lock(a="2", b="3", c="2", new="1")


def test_outputs_that_are_not_cached_are_found_in_the_pipeline():
    pipeline = yaml.safe_dump(
        {
            "stages": {
                "one": {"foreach": [1], "do": {"cmd": "x", "outs": ["a", {"b/${key}.json": {"cache": False}}]}},
                "two": {"cmd": "x", "metrics": [{"m.json": {"cache": False}}], "outs": [{"c": {"persist": True}}]},
            }
        }
    )
    known = set(built.patterns(pipeline.encode()))
    names = ["a", "b/faq.json", "m.json", "c", "dvc.lock", "params.yaml"]
    assert [name for name in names if built.is_built(name, known)] == ["b/faq.json", "m.json", "dvc.lock"]


# whole repositories


def example(number: int) -> str:
    asked = f"How do I sort list {number} by its {number % 7} oldest tasks, and keep the {number * 7919} others?"
    said = f"Open list {number}, choose Sort in its menu, then Age; entry {number * 104729} stays where it was before."
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return json.dumps({"messages": turns}) + "\n"


def examples(*numbers: int) -> str:
    return "".join(map(example, numbers))


def append(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(examples(*numbers))


def move(root: Path, old: str, new: str) -> None:
    text = (root / "params.yaml").read_text()
    assert old in text
    (root / "params.yaml").write_text(text.replace(old, new, 1))


def save(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


def branch(root: Path, name: str) -> None:
    git(root, "checkout", "-q", "-b", name, "main")
    dvc(root, "checkout")


def dataset(root: Path, *words: str, code: int = 0) -> str:
    program = ("python", "-c", "from lineage.commands import main; main()", *words)
    done = run(*program, cwd=root, code=code, PYTHONPATH="", DVC_NO_ANALYTICS="1", **GIT)
    return done.stdout + END + done.stderr


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    """A small project with two branches that were both run, committed and pushed."""
    root = tmp_path_factory.mktemp("team") / "first"
    code_of_the_project(root)
    without_generation(sample_project(root))
    chosen = read_yaml(root / "params.yaml")
    sources = {name: {"path": path, "licence": "CC0-1.0"} for name, path in (("log", LOG), ("batches", FOLDER))}
    text = (root / "params.yaml").read_text()
    parts = yaml.safe_dump({"sources": chosen["sources"]}, sort_keys=False)
    assert parts in text
    (root / "params.yaml").write_text(text.replace(parts, yaml.safe_dump({"sources": sources}, sort_keys=False)) + OWN)
    move(root, "gate:\n", f"gate:\n  waivers:\n{WAIVED}")
    shutil.rmtree(root / "data/sources")
    append(root / LOG, *range(10))
    append(root / FOLDER / "may.jsonl", *range(10, 20))
    git(root, "init", "-q", "-b", "main")
    dvc(root, "add", FOLDER)
    dvc(root, "repro")
    save(root, "First version")
    dvc(root, "push")
    branch(root, "theirs")
    append(root / "data/sources/wiki.jsonl", *range(20, 25))
    move(root, "sources:\n", "sources:\n  wiki:\n    path: data/sources/wiki.jsonl\n    licence: CC0-1.0\n")
    move(root, "words: 8", "words: 9")
    append(root / LOG, 30, 31)
    append(root / FOLDER / "june.jsonl", 32)
    dvc(root, "add", FOLDER)
    dvc(root, "repro")
    save(root, "A wiki, two rows and June")
    dvc(root, "push")
    branch(root, "ours")
    move(root, "max_reply_tokens: 4000", "max_reply_tokens: 3000")
    append(root / LOG, 40, 41, 42)
    append(root / FOLDER / "july.jsonl", 43)
    dvc(root, "add", FOLDER)
    dvc(root, "repro")
    save(root, "A threshold, three rows and July")
    dvc(root, "push")
    return root


@pytest.fixture
def first(team, tmp_path):
    """A copy of the project, cache and all, on the branch `ours`."""
    shutil.copytree(team.parent, tmp_path / "team", symlinks=True)
    return tmp_path / "team/first"


def curated(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.glob("data/curated/**/*"))
        if path.is_file() and path.name != ".gitignore"
    }


def is_up_to_date(root: Path) -> bool:
    return "up to date" in dvc(root, "status") and git(root, "status", "--porcelain") == ""


def has_markers(root: Path) -> list[str]:
    files = [root / name for name in git(root, "ls-files").splitlines()]
    lines = (
        (path, line) for path in files if path.is_file() for line in path.read_text("utf-8", "replace").splitlines()
    )
    return [str(path) for path, line in lines if line.startswith(MARKERS)]


def test_a_clone_merges_what_a_colleague_pushed_and_gets_the_bytes_of_a_fresh_run(team):
    root = team.parent / "second"
    git(team.parent, "clone", "-q", "first", "second")
    git(root, "checkout", "-q", "ours")
    dvc(root, "pull")
    said = dataset(root, "merge", "origin/theirs")
    assert f"{LOG}: 3 rows of ours, then 2 of origin/theirs" in said
    assert f"{FOLDER}.dvc: the files of both sides" in said
    assert "sources.wiki" in said
    assert "merged: 32 rows in, " in said
    assert "gate: passes; waived: enough examples  (dataset gate)" in said
    assert is_up_to_date(root)
    assert has_markers(root) == []
    for stage in ("collect@wiki", "measure@wiki"):
        assert f"Running stage '{stage}'" not in said  # whose entries came with the branch
    chosen = read_yaml(root / "params.yaml")
    assert set(chosen["sources"]) == {"log", "batches", "wiki"}
    assert (chosen["filter"]["length"]["max_reply_tokens"], chosen["decontaminate"]["words"]) == (3000, 9)
    assert (root / LOG).read_text() == examples(*range(10), 40, 41, 42, 30, 31)
    assert {path.name for path in (root / FOLDER).iterdir()} == {"may.jsonl", "june.jsonl", "july.jsonl"}
    assert git(root, "rev-parse", "HEAD^1", "HEAD^2") == git(team, "rev-parse", "ours", "theirs")
    assert "the files of both sides" in git(root, "log", "-1", "--format=%B")
    found, lock_of_the_merge = curated(root), yaml.safe_load((root / "dvc.lock").read_text())
    dvc(root, "repro", "-f", "--no-run-cache")
    assert curated(root) == found
    assert yaml.safe_load((root / "dvc.lock").read_text()) == lock_of_the_merge
    assert "origin/theirs is merged already" in dataset(root, "merge", "origin/theirs")


def test_a_run_that_failed_midway_is_gone_on_with_or_taken_back(first):
    git(first, "checkout", "-q", "theirs")
    stage = first / "stages/judge.py"
    text = stage.read_text()
    stage.write_text(text + "\n\ndef decide(*_):\n    raise ValueError('broken')\n")
    save(first, "Break the judge")
    git(first, "checkout", "-q", "ours")
    dvc(first, "checkout")
    before = curated(first)
    said = dataset(first, "merge", "theirs", code=1)
    assert "Running stage 'dedup'" in said
    assert "`dvc repro` failed" in said
    assert "--abort" in said
    copy = first.parent / "copy"
    shutil.copytree(first, copy, symlinks=True)
    assert "is taken back" in dataset(copy, "merge", "--abort")
    assert is_up_to_date(copy)
    assert curated(copy) == before
    assert not (copy / "data/records/wiki").exists()
    assert git(copy, "rev-parse", "HEAD") == git(copy, "rev-parse", "ours")
    stage.write_text(text)
    assert "stages/judge.py: is changed, and not in the merge" in dataset(first, "merge", "--continue", code=1)
    git(first, "add", "stages/judge.py")
    said = dataset(first, "merge", "--continue")
    assert "Running stage 'dedup'" not in said
    assert "Running stage 'judge'" in said
    assert is_up_to_date(first)
    assert "the files of both sides" in git(first, "log", "-1", "--format=%B")


def test_a_merge_that_plain_git_began_waits_for_people_and_is_gone_on_with(first):
    git(first, "checkout", "-q", "theirs")
    move(first, "max_reply_tokens: 4000", "max_reply_tokens: 2000")
    save(first, "Shorter replies")
    git(first, "checkout", "-q", "ours")
    dvc(first, "checkout")
    git(first, "merge", "theirs", code=1)
    assert has_markers(first)
    said = dataset(first, "merge", "--continue", code=1)
    assert "params.yaml: filter.length.max_reply_tokens is 3000 in ours and 2000 in theirs" in said
    assert "git add params.yaml" in said
    assert has_markers(first) == []
    assert git(first, "status", "--porcelain", "params.yaml") == "UU params.yaml\n"
    assert dataset(first, "merge", "--continue", code=1).count("filter.length") == 1
    move(first, "max_reply_tokens: 3000", "max_reply_tokens: 2500")
    assert "is edited, and not marked as settled" in dataset(first, "merge", "--continue", code=1)
    git(first, "add", "params.yaml")
    outcome = json.loads(dataset(first, "merge", "--continue", "--json").partition(END)[0])
    assert (outcome["state"], outcome["merged"]["rows"], outcome["conflicts"]) == ("merged", 32, [])
    assert is_up_to_date(first)
    assert read_yaml(first / "params.yaml")["filter"]["length"]["max_reply_tokens"] == 2500
    assert "params.yaml: by hand\n" in git(first, "log", "-1", "--format=%B")


def test_the_evaluation_set_that_both_changed_is_never_merged(first):
    for name, line in (("theirs", 0), ("ours", -1)):  # far apart, so that git alone would mix them
        git(first, "checkout", "-q", name)
        lines = (first / GOLD).read_text().splitlines(keepends=True)
        lines[line] = lines[line].replace("?", "??").replace(".", "..")
        (first / GOLD).write_text("".join(lines))
        dataset(first, "freeze")
        save(first, f"The set of {name}")
    dvc(first, "checkout")
    ours = (first / GOLD).read_bytes()
    said = dataset(first, "merge", "theirs", code=1)
    assert "both changed the frozen evaluation set" in said
    assert "eval.gold.sha256 is " in said
    assert (first / GOLD).read_bytes() == ours
    git(first, "checkout", "--theirs", GOLD)
    dataset(first, "freeze")
    assert git(first, "show", "theirs:params.yaml").split("sha256: ")[1][:64] in (first / "params.yaml").read_text()


def test_markers_in_code_are_left_to_people_and_never_committed(first):
    for name in ("theirs", "ours"):
        git(first, "checkout", "-q", name)
        (first / "CHANGELOG.md").write_text(f"Changed by {name}.\n")
        save(first, f"Notes of {name}")
    said = dataset(first, "merge", "theirs", code=1)
    assert "CHANGELOG.md: both changed the same lines" in said
    git(first, "add", "CHANGELOG.md")
    assert "CHANGELOG.md: conflict markers are left" in dataset(first, "merge", "--continue", code=1)
    assert git(first, "rev-parse", "HEAD") == git(first, "rev-parse", "ours")


def test_rows_that_a_side_changed_stay_ours_and_wait_for_people(first):
    git(first, "checkout", "-q", "theirs")
    (first / LOG).write_text((first / LOG).read_text().replace("list 30", "board 30"))
    (first / LOG).write_text((first / LOG).read_text().replace("list 9 ", "board 9 "))
    save(first, "Other words")
    git(first, "checkout", "-q", "ours")
    dvc(first, "checkout")
    ours = (first / LOG).read_bytes()
    said = dataset(first, "merge", "theirs", code=1)
    assert f"{LOG}: a side changed rows or took some out" in said
    assert (first / LOG).read_bytes() == ours
    git(first, "checkout", "--theirs", LOG)
    assert f"{LOG}: is edited, and not marked as settled" in dataset(first, "merge", "--continue", code=1)
    assert (first / LOG).read_text() == git(first, "show", f"theirs:{LOG}")


def test_files_that_both_put_into_a_folder_under_one_name_wait_for_people(first):
    git(first, "checkout", "-q", "theirs")
    dvc(first, "checkout")
    append(first / FOLDER / "july.jsonl", 99)
    dvc(first, "add", FOLDER)
    save(first, "Another July")
    git(first, "checkout", "-q", "ours")
    dvc(first, "checkout")
    said = dataset(first, "merge", "theirs", code=1)
    assert f"{FOLDER}.dvc: DVC cannot join the two" in said
    assert "july.jsonl" in said
    assert has_markers(first) == []


def test_a_list_of_files_that_is_nowhere_is_asked_for(first):
    shutil.rmtree(first.parent / "dataset-remote")
    pointer = yaml.safe_load(git(first, "show", f"theirs:{FOLDER}.dvc"))["outs"][0]["md5"]
    (first / ".dvc/cache/files/md5" / pointer[:2] / pointer[2:]).unlink()
    said = dataset(first, "merge", "theirs", code=1)
    assert f"{FOLDER}.dvc: DVC cannot join the two: the cache has not the list of files" in said
    assert "`dvc fetch`" in said
    assert git(first, "diff", "HEAD", "--", f"{FOLDER}.dvc") == ""


def test_misuse_is_refused_with_what_to_do(first):
    assert "git knows no such branch" in dataset(first, "merge", "nobody", code=2)
    assert "git knows no such branch" in dataset(first, "merge", "--", "--upload-pack=x", code=2)
    assert "no merge is under way" in dataset(first, "merge", "--continue", code=2)
    assert "no merge is under way" in dataset(first, "merge", "--abort", code=2)
    assert "give it one" in dataset(first, "merge", code=2)
    append(first / "data/sources/new.jsonl", 1)
    move(first, "words: 8", "words: 7")
    said = dataset(first, "merge", "theirs", code=2)
    assert "not committed: " in said
    assert "data/sources/new.jsonl" in said
    assert "params.yaml" in said
    git(first, "checkout", "-q", "params.yaml")
    (first / "data/sources/new.jsonl").unlink()
    append(first / FOLDER / "july.jsonl", 2)
    assert f"changed since it was saved: {FOLDER}" in dataset(first, "merge", "theirs", code=2)


def test_a_folder_that_dvc_tracks_comes_with_a_pull(team):
    git(team.parent, "clone", "-q", "-b", "main", "first", "third")
    dvc(team.parent / "third", "pull")
    assert (team.parent / "third" / FOLDER / "may.jsonl").read_text() == examples(*range(10, 20))


# what belongs to the user


@pytest.fixture
def plain(tmp_path):
    """A repository of the project's code with a threshold moved on two branches: a merge that stops at once."""
    root = tmp_path / "plain"
    code_of_the_project(root)
    without_generation(sample_project(root))
    choose(root, {"decontaminate.words": 8})
    git(root, "init", "-q", "-b", "main")
    save(root, "First version")
    for name, words in (("theirs", "9"), ("ours", "10")):
        git(root, "checkout", "-q", "-b", name, "main")
        move(root, "words: 8", f"words: {words}")
        save(root, f"{words} words")
    return root


def test_going_back_keeps_files_and_edits_that_are_not_of_the_merge(plain):
    assert "decontaminate.words is 10 in ours and 9 in theirs" in dataset(plain, "merge", "theirs", code=1)
    (plain / "data/sources/mine.jsonl").write_text("mine\n")
    (plain / "notes.txt").write_text("mine\n")
    (plain / "CHANGELOG.md").write_text("edited\n")
    done = dataset(plain, "merge", "--abort")
    assert "is taken back" in done
    assert (plain / "data/sources/mine.jsonl").read_text() == "mine\n"
    assert (plain / "notes.txt").read_text() == "mine\n"
    assert (plain / "CHANGELOG.md").read_text() == "edited\n"


def test_a_merge_does_not_write_over_a_file_that_git_ignores_here(plain):
    git(plain, "checkout", "-q", "theirs")
    (plain / "data/notes").mkdir()
    (plain / "data/notes/n.txt").write_text("theirs\n")
    git(plain, "add", "-f", "data/notes/n.txt")
    save(plain, "A note")
    git(plain, "checkout", "-q", "ours")
    (plain / "data/notes").mkdir(exist_ok=True)
    (plain / "data/notes/n.txt").write_text("mine\n")
    assert "data/notes/n.txt: git ignores it here and has it there" in dataset(plain, "merge", "theirs", code=2)
    assert (plain / "data/notes/n.txt").read_text() == "mine\n"


def test_a_page_that_shows_conflict_markers_is_no_conflict(plain):
    git(plain, "checkout", "-q", "theirs")
    (plain / "docs/conflicts.md").write_text("<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n")
    save(plain, "Show a conflict")
    git(plain, "checkout", "-q", "ours")
    assert "docs/conflicts.md" not in dataset(plain, "merge", "theirs", code=1)


def test_a_file_name_does_not_steer_the_terminal(plain):
    for name in ("theirs", "ours"):
        git(plain, "checkout", "-q", name)
        (plain / "data/sources/ev\x1b]0;x\x07il.csv").write_text(f"{name}\n")
        save(plain, "A name")
    assert "\x1b" not in dataset(plain, "merge", "theirs", code=1)


def test_a_merge_that_the_gate_fails_stays_as_it_is_and_says_so(first):
    move(first, "2999-12-31", "2001-01-01")
    dvc(first, "repro")
    save(first, "The pilot is over")
    said = dataset(first, "merge", "theirs", code=1)
    assert "gate: FAILS: enough examples  (dataset gate)" in said
    assert "The merge is committed" in said
    assert run("dataset", "gate", cwd=first, PYTHONPATH="", code=1).stdout.endswith("The gate fails.\n")
    assert git(first, "rev-parse", "HEAD^2") == git(first, "rev-parse", "theirs")
    assert is_up_to_date(first)
