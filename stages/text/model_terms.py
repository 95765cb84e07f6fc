"""What the makers of language models ask of those who train on what their models wrote, by the model's name.

A short reading of the makers' published terms, no legal advice, and terms change: read those of the models you use. A name
that fits several lines, such as a distilled model's, has the strictest of them; one that fits none is `unknown`. So are, on
purpose, models whose terms could not be read or depend on more than the name: Cohere's, Gemma from 4 on, Tulu (each has the
terms of its base), Mistral Small without a version or of 2024, and Qwen where it is a service, for research or the first.
"""

import re
from functools import lru_cache
from typing import Literal, get_args

AS_OF = "2025-06"
Terms = Literal["free", "attribution", "use_restrictions", "no_competing_models", "no_other_models", "unknown"]
"""From the mildest: nothing is asked; the maker's name in yours; its list of forbidden uses, handed on; no model that
competes with the maker's; no other model at all; not known, which stands last because nothing allows more.
"""
FAMILIES: tuple[tuple[str, str, Terms], ...] = (
    (
        "OpenAI",
        r"chatgpt|gpt-?[3-9](?!all)|text-davinci|davinci|o[1345](?![a-z0-9])",
        "no_competing_models",
    ),
    ("OpenAI", r"gpt-oss|gpt-?2", "free"),
    ("EleutherAI", r"gpt-j|gpt-neo|pythia", "free"),
    ("Anthropic", r"claude", "no_competing_models"),
    ("Google", r"gemini|palm|bard", "no_competing_models"),
    ("Google", r"gemma(?!-?[4-9])", "use_restrictions"),
    ("Google", r"flan|t5", "free"),
    ("xAI", r"grok", "no_competing_models"),
    ("Meta", r"llama(?!-?(?:3\.[1-9]|4(?!\d)))|code-?llama", "no_other_models"),
    ("Meta", r"llama-?(?:3\.[1-9]|4(?!\d))", "attribution"),
    (
        "Mistral AI",
        r"mi[sx]tral-(?:7b|8x7b|8x22b|nemo|small-(?:3|24b|[a-z0-9.\-]*25\d\d))|magistral-small-(?:[a-z0-9.\-]*25\d\d)",
        "free",
    ),
    ("DeepSeek", r"deepseek-(?:r1|v3[.-](?:[1-9]|0324))", "free"),
    ("DeepSeek", r"deepseek-(?:llm|coder|v2|v3(?![.-](?:[1-9]|0324))|moe)", "use_restrictions"),
    ("Alibaba", r"qwen-?3-(?:coder-|next-)?\d+(?:\.\d+)?b|qwq-32b", "free"),
    ("Alibaba", r"qwen-?(?:1\.5|2(?:\.5)?)-(?:[a-z]+-)*(?!3b|1\.8b)\d+(?:\.\d+)?b", "attribution"),
    ("Microsoft", r"phi-?[1-4]", "free"),
    ("Allen Institute", r"olmo", "free"),
    ("Hugging Face", r"smollm", "free"),
)
"""Maker, how its models are named (after the beginning of a word, in lower case), and what it asks."""
ORDER = get_args(Terms)


@lru_cache(1024)
def terms_of(model: str | None) -> Terms:
    """What the maker of a model asks, told from a name such as `gpt-4o-2024-08-06` or `meta-llama/Llama-3.1-8B-Instruct`."""
    return max((terms for _, terms in lines_of(model)), key=ORDER.index, default="unknown")


@lru_cache(1024)
def kin(one: str, other: str) -> bool:
    """Whether two models are of one maker; of a name that fits no line, whether both begin with the same word."""
    makers, others = ({maker for maker, _ in lines_of(each)} for each in (one, other))
    if makers and others:
        return not makers.isdisjoint(others)
    return re.split(r"[^a-z]", bare(one))[0] == re.split(r"[^a-z]", bare(other))[0]


def lines_of(model: str | None) -> list[tuple[str, Terms]]:
    """Maker and terms of every line that a name fits."""
    name = bare(model)
    return [(maker, terms) for maker, pattern, terms in FAMILIES if re.search(rf"(?<![a-z0-9])(?:{pattern})", name)]


def bare(model: str | None) -> str:
    """A model's name in lower case, without who offers it."""
    return (model or "").lower().rpartition("/")[2]
