"""The shipped packs: each gives rows enough that survive the pipeline, and what the code pack says of code is so."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract import params, run
from stages.contract.params import Stop
from stages.contract.record import Record, encode
from stages.generate import Params, make
from stages.generation.grammar import opening
from stages.generation.pack import Pack, pack_of, shares
from tests.conftest import REPOSITORY, choose, record, sample_project, stage
from tests.test_generate import SMALL, seed_records

PACKS = sorted(path.stem for path in (REPOSITORY / "data/packs").glob("*.yaml"))
SHIPPED = ("code", "legal", "medical", "support", "tasks")
LESSON = {
    "medical": {"conditions": 200, "medicines": 150, "prevention": 100},
    "legal": {"contracts": 150, "rights": 100, "procedure": 100},
    "code": {
        f"{language}_{kind}": count
        for language in ("python", "javascript", "java")
        for kind, count in (("write", 100), ("explain", 50), ("debug", 100))
    },
}
FLOOR = {"dedup": {"floor": 0.7}}
SURVIVORS = 50
pytestmark = pytest.mark.skipif(not set(SHIPPED) <= set(PACKS), reason="the shipped packs were taken out")


def file(name: str) -> str:
    return f"data/packs/{name}.yaml"


def content(name: str) -> dict[str, Any]:
    return params.read_yaml(REPOSITORY / file(name))


def pack(name: str) -> Pack:
    return pack_of(content(name), file(name))


def rows(name: str, count: int = 200) -> list[dict[str, Any]]:
    return make(seed_records() if name == "tasks" else [], Params("seeds", file(name), count), 42, content(name))


@pytest.fixture(scope="module")
def made() -> dict[str, list[dict[str, Any]]]:
    """The rows that each pack gives with the shipped count."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(params, "whole", lambda: FLOOR)
        return {name: rows(name) for name in SHIPPED}


@pytest.fixture(scope="module")
def kept(made: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The survivors of all packs together, through the whole pipeline at its default profile."""
    root = sample_project(tmp_path_factory.mktemp("packs"))
    sources = params.read_yaml(root / "params.yaml")["sources"]
    choose(root, {"sources": {"generated": sources["generated"]}, "profile": "lesson-200"})
    (root / "data/sources/generated").mkdir()
    for name, found in made.items():
        (root / f"data/sources/generated/{name}.jsonl").write_bytes(b"".join(encode(row) + b"\n" for row in found))
    for name in ("collect", "measure", "filter"):
        stage(root, name, "generated")
    for name in ("dedup", "decontaminate", "judge"):
        stage(root, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.contract.paths.ROOT", root)
        params.whole.cache_clear()
        return [each for shard in run.survivors("balance", ["generated"]) for each in run.records_of(shard)]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_pack_gives_the_shipped_number_of_rows_shared_by_its_counts(name: str, made: Any) -> None:
    assert Counter(row["topic"] for row in made[name]) == Counter(shares(200, pack(name).counts))


@pytest.mark.parametrize("name", SHIPPED)
def test_at_least_fifty_rows_of_each_pack_survive_the_pipeline(name: str, kept: list[Record]) -> None:
    topics = set(pack(name).topics)
    assert sum(each.meta.topic in topics for each in kept) >= SURVIVORS


@pytest.mark.parametrize("name", LESSON)
def test_the_counts_are_the_lessons(name: str) -> None:
    assert pack(name).counts == LESSON[name]


@pytest.mark.parametrize("name", ["medical", "legal"])
def test_a_knowledge_pack_marks_its_rows_and_carries_its_disclaimer(name: str, kept: list[Record]) -> None:
    topics = set(pack(name).topics)
    found = [each.meta.extra for each in kept if each.meta.topic in topics]
    assert found
    assert all(each["facts"] is True and "not" in each["disclaimer"] for each in found)


# a pack that contradicts itself stops with its file and key

WRONG: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "no style": ([("axes", {"tone": ["plain"]})], "p.yaml: axes.style is missing"),
    "an axis without values": ([("axes.tone", [])], "p.yaml: axes.tone: expected `array` of length >= 1"),
    "no topics": ([("topics", {})], "p.yaml: topics: expected `object` of length >= 1"),
    "an unknown field": ([("abuot", "x")], "p.yaml: object contains unknown field `abuot`; did you mean about?"),
    "an unknown field of a topic": (
        [("topics.add.wasy", {})],
        "p.yaml: topics.add: object contains unknown field `wasy`; did you mean ways?",
    ),
    "a count of nothing": ([("topics.add.count", 0)], "p.yaml: topics.add.count: expected `int` >= 1"),
    "a style that nothing is said in": (
        [("axes.style", ["plain", "rude"])],
        "p.yaml: topics.add.ways[0].say: nothing is said in the style rude",
    ),
    "a style that is no axis's": (
        [("topics.add.ways.0.say.rude", ["Do {task}"])],
        "p.yaml: topics.add.ways[0].say.rude: is not in axes.style",
    ),
    "a value of no axis": (
        [("topics.add.ways.0.axes", {"question": "why"})],
        "p.yaml: topics.add.ways[0].axes.question: 'why' is not a value of axes.question",
    ),
    "a field without words": (
        [("topics.add.ways.0.answer", ["Done.", "I did {tsak}."])],
        "p.yaml: topics.add.ways[0].answer[1]: {tsak} is not under words",
    ),
    "a field without words in extra": ([("extra", {"by": "{who}"})], "p.yaml: extra.by: {who} is not under words"),
    "a slot without words": ([("words.list", [])], "p.yaml: words.list: expected `array` of length >= 1"),
    "a slot of unlike values": (
        [("words.list", [{"list": "Home", "where": "here"}, {"list": "Work"}])],
        "p.yaml: words.list[1]: where is not in all values of the slot",
    ),
    "a field of two slots": (
        [("words.other", [{"list": "Home"}])],
        "p.yaml: words.other: list is a field of words.list too",
    ),
    "a field that no template can name": ([("words.Task2", ["x"])], "p.yaml: words.Task2: 'Task2' is not a-z and _"),
    "a call without a tool": ([("topics.add.tool", None)], "p.yaml: topics.add.tool is missing"),
    "a tool that no seed can show": ([("seeds", False)], "p.yaml: topics.add.tool: no seed defines add_task"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_pack_that_contradicts_itself_stops_with_file_and_key(name: str) -> None:
    changes, said = WRONG[name]
    wrong = json.loads(json.dumps(SMALL))
    for path, value in changes:
        *keys, last = path.split(".")
        inner = wrong
        for key in keys:
            inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
        inner[last] = value
    with pytest.raises(Stop) as stopped:
        pack_of(wrong, "p.yaml")
    assert stopped.value.message.startswith(said)
    assert stopped.value.code == 2


@given(st.integers(0, 5_000), st.dictionaries(st.text(min_size=1), st.integers(1, 900), min_size=1, max_size=9))
@settings(derandomize=True, max_examples=60)
def test_shares_are_whole_and_less_than_one_off_the_exact_ones(count: int, weights: dict[str, int]) -> None:
    found = shares(count, weights)
    assert sum(found.values()) == count
    total = sum(weights.values())
    assert all(abs(found[name] - count * weight / total) < 1 for name, weight in weights.items())


def test_values_that_belong_together_are_drawn_together(use_params: Any) -> None:
    use_params(FLOOR)
    capitals = {"France": "Paris", "Japan": "Tokyo", "Kenya": "Nairobi", "Peru": "Lima"}
    given_pack = {
        "about": "capitals",
        "system": "Answer in a sentence.",
        "seeds": False,
        "facts": True,
        "extra": {"place": "{country}"},
        "axes": {"style": ["plain"], "question": ["what"]},
        "topics": {
            "cities": {
                "ways": [
                    {
                        "axes": {"question": "what"},
                        "say": {"plain": ["What is the capital of {country}?"]},
                        "answer": ["{city} is the capital of {country}."],
                        "then": [{"say": ["Is {city} large?"], "answer": ["Yes, {city} is large."]}],
                    }
                ]
            }
        },
        "words": {"pair": [{"country": country, "city": city} for country, city in capitals.items()]},
    }
    found = make([], Params("seeds", "p.yaml", 3), 1, given_pack)
    for row in found:
        country = row["extra"]["place"]
        assert row["extra"] == {
            "place": country,
            "question": "what",
            "style": "plain",
            "method": "template",
            "facts": True,
        }
        system, asked, answered, *then = row["messages"]
        assert system == {"role": "system", "content": "Answer in a sentence."}
        assert asked["content"] == f"What is the capital of {country}?"
        assert answered["content"] == f"{capitals[country]} is the capital of {country}."
        assert [turn["content"] for turn in then] in (
            [],
            [f"Is {capitals[country]} large?", f"Yes, {capitals[country]} is large."],
        )


@pytest.mark.parametrize("name", SHIPPED)
def test_no_row_says_a_thing_twice_or_only_goes_on_where_another_ends(name: str, made: Any) -> None:
    for row in made[name]:
        first, *later = [turn["content"] for turn in row["messages"] if turn["role"] == "assistant" and turn["content"]]
        assert not [answer for answer in later if answer in first]
    whole = {encode(row["messages"]) for row in made[name]}
    assert len({opening(row) for row in made[name]}) == len(whole) == 200


def test_rows_of_a_pack_without_seeds_are_unlike_the_seeds_all_the_same(use_params: Any) -> None:
    use_params(FLOOR)
    once = SMALL | {"seeds": False, "topics": {"add": {"ways": SMALL["topics"]["add"]["ways"]}}}
    [row] = make([], Params("seeds", "p.yaml", 1), 1, once)
    seed = record(messages=row["messages"])
    assert row not in make([seed], Params("seeds", "p.yaml", 1), 1, once)


# what the code pack says of code


def entries(language: str) -> list[dict[str, str]]:
    """The functions and bugs of a language, by the ends of their fields' names."""
    found = content("code")["words"]
    both = [*found[f"{language}_functions"], *found[f"{language}_bugs"]]
    return [{field.partition("_")[2]: text for field, text in each.items()} for each in both]


def claims(language: str) -> list[tuple[str, str, str]]:
    """Code, an expression, and what the pack says it gives."""
    return [
        (each["code"], each["call"], each["gives"])
        if "code" in each
        else (each["right"], each["check"], each["result"])
        for each in entries(language)
    ]


def outcome(code: str, expression: str) -> Any:
    """What an expression gives after some Python, or the error it ends with."""
    space: dict[str, Any] = {}
    try:
        exec(code, space)
        return eval(expression, space)
    except (ArithmeticError, LookupError, NameError, TypeError, ValueError) as error:
        return error


def test_all_python_runs_and_gives_what_the_pack_says() -> None:
    found = claims("python")
    assert len(found) > 30
    for code, call, gives in found:
        assert repr(outcome(code, call)) == repr(eval(gives)), call


def test_the_faulty_python_does_not_give_what_the_mended_does() -> None:
    bugs = [each for each in entries("python") if "wrong" in each]
    for each in bugs:
        assert repr(outcome(each["wrong"], each["check"])) != repr(eval(each["result"])), each["should"]


def test_a_row_of_python_is_code_that_compiles(made: Any) -> None:
    blocks = [
        block
        for row in made["code"]
        for message in row["messages"]
        for block in message["content"].split("```")[1::2]
        if block.startswith("python\n")
    ]
    assert len(blocks) > 50
    for block in blocks:
        compile(block.removeprefix("python\n"), "row", "exec")


QUOTED = re.compile(r"""\"(?:\\\\.|[^\"\\\\])*\"|'(?:\\\\.|[^'\\\\])*'|/\[[^\]]*\]/g""")


def balanced(code: str) -> bool:
    """Whether every bracket outside of quotes is closed by its like."""
    opened = []
    for letter in QUOTED.sub("", code):
        if letter in "([{":
            opened.append({"(": ")", "[": "]", "{": "}"}[letter])
        elif letter in ")]}" and (not opened or opened.pop() != letter):
            return False
    return not opened


@pytest.mark.parametrize("language", ["javascript", "java"])
def test_brackets_are_balanced(language: str) -> None:
    for each in entries(language):
        for field in ("code", "right", "wrong"):
            assert balanced(each.get(field, "")), each


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_all_javascript_runs_and_gives_what_the_pack_says() -> None:
    tests = [
        f"{{ const run = async () => {{ {code}\n return {call}; }};"
        f" const [a, b] = [JSON.stringify(await run()), JSON.stringify({gives})];"
        f" if (a !== b) throw new Error({json.dumps(call)} + ' gives ' + a); }}"
        for code, call, gives in claims("javascript")
    ]
    done = subprocess.run(
        ["node", "--input-type=module", "-e", "\n".join(tests)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("javac"), reason="needs javac")
def test_all_java_compiles_and_gives_what_the_pack_says(tmp_path: Path) -> None:
    found = claims("java")
    classes = [f"class C{number} {{ {code} }}" for number, (code, _, _) in enumerate(found)]
    wrong = [f"class W{number} {{ {each['wrong']} }}" for number, each in enumerate(entries("java")) if "wrong" in each]
    checks = [
        f"if (!Objects.deepEquals(C{number}.{call}, {gives}))"
        f" throw new RuntimeException({json.dumps(call)} + C{number}.{call});"
        for number, (_, call, gives) in enumerate(found)
    ]
    imports = ("java.util.*", "java.util.stream.*", "java.math.*", "java.time.*", "java.time.temporal.*")
    main = f"public class Main {{ public static void main(String[] given) {{ {' '.join(checks)} }} }}"
    text = "\n".join([*(f"import {name};" for name in imports), *classes, *wrong, main])
    (tmp_path / "Main.java").write_text(text)
    for command in (["javac", "-nowarn", "Main.java"], ["java", "-cp", ".", "Main"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


# what the docs say of packs

DOCS = (REPOSITORY / "docs/packs.md").read_text()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_docs_name_each_packs_topics_and_counts(name: str) -> None:
    found = pack(name)
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}`"))
    about, counts, seeds, stating = [cell.strip() for cell in row.split("|")[2:6]]
    assert (about, seeds == "yes", stating == "yes") == (found.about, found.seeds, found.facts)
    if name == "code":
        each = dict(part.split() for part in counts.removeprefix("for each language: ").split(", "))
        told = {f"{language}_{kind}": n for language in ("python", "javascript", "java") for kind, n in each.items()}
    else:
        told = dict(part.split() for part in counts.split(", "))
    assert {topic: int(count) for topic, count in told.items()} == found.counts


def test_the_pack_in_the_docs_gives_rows(use_params: Any) -> None:
    use_params(FLOOR)
    written = yaml.safe_load(DOCS.split("## Write your own\n\n```yaml\n")[1].split("```")[0])
    assert len(make([], Params("seeds", "docs/packs.md", 6), 42, written)) == 6
