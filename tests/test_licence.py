"""What a record's licence, and the terms of the model that wrote it, allow: on the way in and on the way out."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import export
from stages.checks import licence
from stages.collect import domain
from stages.contract.params import Source
from stages.contract.record import Record, decode, encode
from stages.contract.source import Row
from stages.text.licences import Allowed, permits, spdx
from stages.text.model_terms import FAMILIES, ORDER, terms_of
from tests.conftest import choose, json_lines, record, stage


def refused(name: str, maker: str | None = None, **limits: Any) -> str | None:
    """Why `filter` drops a record under this licence."""
    value = decode(encode(licence.measure(record(meta={"licence": name, "terms": maker}))))
    return licence.decide(value, licence.Params(**limits))


OPEN = ("MIT", "Apache-2.0", "CC0-1.0")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MIT", None),
        ("mit", None),
        ("MIT OR GPL-3.0-only", None),
        ("GPL-3.0-only OR (MIT AND Apache-2.0)", None),
        ("Apache-2.0 WITH LLVM-exception", None),
        ("MIT AND GPL-3.0-only", "licence_not_allowed"),
        ("(MIT OR Apache-2.0) AND CC-BY-NC-4.0", "licence_not_allowed"),
        ("CC-BY-NC-4.0", "licence_not_allowed"),
        ("cc by", "unknown_licence"),
        ("NOASSERTION", "unknown_licence"),
        ("", "unknown_licence"),
        ("LicenseRef-ours", "unknown_licence"),
        ("proprietary " * 1_000, "unknown_licence"),
    ],
)
def test_a_licence_is_allowed_known_or_refused(name: str, reason: str | None) -> None:
    assert refused(name, allowed=OPEN, unknown="drop") == reason
    assert refused(name) is None


def test_terms_of_ones_own_are_allowed_if_they_are_named() -> None:
    assert refused("LicenseRef-ours", allowed=(*OPEN, "LicenseRef-ours"), unknown="drop") is None


def test_what_is_not_known_is_not_among_those_allowed_either() -> None:
    assert refused("cc by", allowed=OPEN) == "licence_not_allowed"


@pytest.mark.parametrize(
    ("terms", "limits", "reason"),
    [
        (None, {"terms": ("free",), "unknown": "drop"}, None),
        ("free", {"terms": ("free",)}, None),
        ("attribution", {"terms": ("free",)}, "terms_not_allowed"),
        ("no_competing_models", {"terms": ("free", "attribution")}, "terms_not_allowed"),
        ("no_competing_models", {}, None),
        ("unknown", {"unknown": "drop"}, "unknown_terms"),
        ("unknown", {"terms": ("free",)}, "terms_not_allowed"),
        ("unknown", {"terms": ("free", "unknown"), "unknown": "drop"}, None),
        ("unknown", {}, None),
    ],
)
def test_the_terms_of_a_models_maker_are_allowed_or_refused(terms: str | None, limits: Any, reason: str | None) -> None:
    assert refused("MIT", terms, **limits) == reason


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        ("gpt-4o-2024-08-06", "no_competing_models"),
        ("openai/gpt-oss-120b", "free"),
        ("text-davinci-003", "no_competing_models"),
        ("o3-2025-04-16", "no_competing_models"),
        ("claude-sonnet-4-20250514", "no_competing_models"),
        ("gemini-2.5-pro", "no_competing_models"),
        ("google/gemma-2-9b-it", "use_restrictions"),
        ("meta-llama/Llama-2-70b-chat-hf", "no_other_models"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "no_other_models"),
        ("meta-llama/Llama-3.1-8B-Instruct", "attribution"),
        ("deepseek-ai/DeepSeek-R1", "free"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "no_other_models"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "free"),
        ("Qwen/Qwen2.5-72B-Instruct", "attribution"),
        ("Qwen/Qwen3-32B", "free"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "free"),
        ("qwen3-max", "unknown"),
        ("qwen-plus", "unknown"),
        ("Qwen/Qwen2.5-3B-Instruct", "unknown"),
        ("Qwen/Qwen2.5-Coder-7B-Instruct", "attribution"),
        ("Qwen/Qwen-72B-Chat", "unknown"),
        ("mistralai/Mistral-Small-24B-Instruct-2501", "free"),
        ("mistralai/Mistral-Small-Instruct-2409", "unknown"),
        ("mistral-small-latest", "unknown"),
        ("command-r-plus", "unknown"),
        ("google/gemma-3-27b-it", "use_restrictions"),
        ("google/gemma-4-31b-it", "unknown"),
        ("allenai/tulu-2-dpo-70b", "unknown"),
        ("allenai/Llama-3.1-Tulu-3-8B", "attribution"),
        ("gpt-6-luna", "no_competing_models"),
        ("our-own-model", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_terms_of_a_model_are_told_by_its_name(model: str | None, terms: str) -> None:
    assert terms_of(model) == terms


def test_a_name_that_fits_several_families_has_the_strictest_terms() -> None:
    assert terms_of("phi-4-distilled-from-gpt-4o") == "no_competing_models"


def test_every_family_has_terms_that_params_can_name() -> None:
    assert {terms for _, _, terms in FAMILIES} <= set(ORDER)


IDS = st.sampled_from(["MIT", "Apache-2.0", "GPL-3.0-only", "CC-BY-4.0"])
EXPRESSIONS = st.recursive(
    IDS, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner), max_leaves=5
)


@given(EXPRESSIONS, st.sets(IDS))
def test_an_expression_is_permitted_as_its_logic_says(expression: str, allowed: set[str]) -> None:
    logic = expression.replace(" AND ", " and ").replace(" OR ", " or ")
    for name in ("MIT", "Apache-2.0", "GPL-3.0-only", "CC-BY-4.0"):
        logic = logic.replace(name, str(name in allowed))
    assert permits(spdx(expression) or "", tuple(allowed)) == eval(logic)


@given(
    st.text(max_size=30) | st.lists(st.sampled_from(["MIT", "AND", "OR", "WITH", "(", ")"]), max_size=6).map(" ".join)
)
def test_what_cannot_be_read_is_not_permitted_and_breaks_nothing(expression: str) -> None:
    assert permits(expression, ("MIT",)) in (True, False)
    if spdx(expression) is None:
        assert not permits(expression, ("MIT",))


# how records come by it


def collected(row: dict[str, Any], **source: Any) -> Record:
    from stages import collect

    given = {"path": "x", "licence": "CC0-1.0", **source}
    return collect.read(
        Row("x:1", json.dumps({"input": "Hi", "output": "Hello", **row}).encode()),
        "log",
        Source(**given),
        collect.Params(),
    )


def test_a_row_has_its_own_licence_and_one_without_has_none() -> None:
    assert collected({"rights": "MIT"}, licence_field="rights").meta.licence == "MIT"
    assert collected({}, licence_field="rights").meta.licence == "NOASSERTION"
    assert collected({"rights": "MIT"}).meta.licence == "CC0-1.0"


def test_what_a_model_wrote_carries_the_terms_of_its_maker() -> None:
    assert collected({"by": "gpt-4o"}, method="model", model_field="by").meta.terms == "no_competing_models"
    assert collected({}, model="mistral-7b-instruct").meta.terms == "free"
    assert collected({}, method="model").meta.terms == "unknown"
    assert collected({}).meta.terms is None


def test_what_a_row_says_of_parallel_calls_is_kept() -> None:
    assert collected({"parallel_tool_calls": False}).meta.extra == {"parallel_tool_calls": False}
    assert collected({"parallel_tool_calls": "no"}).meta.extra == {}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Example.org/ada?mail=a@b.org", "example.org"),
        ("http://user:secret@example.org:8080/", "example.org"),
        ("example.org/page", "example.org"),
        ("https://[broken", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_of_an_address_only_the_domain_is_kept(url: Any, host: str | None) -> None:
    assert domain(url) == host
    assert collected({"url": url}, kind="web", url_field="url").meta.extra == {"kind": "web"} | (
        {"domain": host} if host else {}
    )


# on the way out


def test_what_may_not_go_out_is_a_drop_with_its_licence_and_in_no_file() -> None:
    made = record(meta={"licence": "MIT", "model": "gpt-4o", "terms": "no_competing_models"})
    found = export.left_out(made, export.Params(licences=Allowed(terms=("free",))))
    assert found
    assert found.drop
    assert (found.drop.reason, found.drop.evidence) == (
        "export_terms_not_allowed",
        {"licence": "MIT", "terms": "no_competing_models", "model": "gpt-4o"},
    )
    assert export.left_out(made, export.Params()) is None
    assert export.left_out(made, export.Params(licences=Allowed(allowed=("MIT",)))) is None


def test_a_dataset_that_goes_out_under_conditions_is_accounted_for(built: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "project"
    shutil.copytree(built, root)
    choose(root, {"export.licences": {"allowed": ["MIT"]}})
    stage(root, "export")
    stage(root, "report")
    metrics = json.loads((root / "reports/metrics.json").read_text())
    before = json.loads((built / "reports/metrics.json").read_text())
    went, left = before["dataset"], metrics["dataset"]
    assert (left["examples"], left["preferences"]) == (0, 0)
    assert metrics["stages"]["export"]["reasons"] == {
        "export_licence_not_allowed": went["examples"] + went["preferences"]
    }
    assert metrics["accounting"]["problems"] == 0
    drops = [drop for drop in json_lines(root / "data/curated/dropped.jsonl") if drop["stage"] == "export"]
    assert drops[0]["evidence"] == {"licence": "CC0-1.0"}
    assert not [path for path in (root / "data/exports").rglob("*.jsonl") if path.read_text().strip()]
