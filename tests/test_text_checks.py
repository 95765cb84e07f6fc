"""What checks say of the text of a reply, and of a reply among those of its source."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import checks, filter, measure
from stages.checks import injection
from stages.contract.record import Record, ToolCall, decode, encode
from stages.text import function_words, patterns, prose
from stages.text import language as lid
from stages.text.damage import damage, gate, mojibake
from stages.text.prose import begin_alike, count_words, without_code
from stages.text.readability import reading_ease
from stages.text.scripts import ALONE, script, writers
from tests.conftest import record

PLAIN = "Open the menu of the list, choose Rename, and type the new name into the field."
LONG = " ".join(f"Step {n} opens panel {n} and shows what is in drawer {n}." for n in range(30))
CALL = ToolCall("a" * 9, "look", {"for": "it"})


def value(name: str, checked: Record) -> Any:
    """What a check measures of a record, as it is read again from the kept scores."""
    check = checks.check(name)
    return decode(encode(check.measure(checked, check.Measure() if hasattr(check, "Measure") else None)))


def reason(name: str, checked: Record, **limits: Any) -> str | None:
    """The reason a check gives for dropping a record that is alone in its source."""
    check = checks.check(name)
    found: str | None = check.decide(value(name, checked), check.Params(**limits))
    return found


def reasons(limits: dict[str, Any], records: list[Record]) -> list[str | None]:
    """The reasons for dropping each record of a source, with these keys under `filter`."""
    rows = [(each.id, scored(each)) for each in records]
    rules = filter.informed(filter.prepare(limits), lambda *only: rows)
    drops = [filter.decide(identifier, "sample", row, rules) for identifier, row in rows]
    return [drop.reason if drop else None for drop in drops]


def scored(checked: Record) -> dict[str, Any]:
    """All scores of a record, as they are read again."""
    row: dict[str, Any] = decode(encode(measure.measure(checked, measure.Params())))
    return row


def source(*replies: str, **more: Any) -> list[Record]:
    """A record for each reply, each to a question of its own."""
    return [record(f"What is question {n} about?", said, **more) for n, said in enumerate(replies)]


# rules that know their source, and rules that only count


def test_a_check_with_a_summary_decides_by_the_whole_source() -> None:
    limits = {"boilerplate": {"action": "drop", "min_records": 3}}
    said = ["I will escalate this to the team."] * 3 + [PLAIN]
    assert reasons(limits, source(*said)) == ["boilerplate"] * 3 + [None]
    assert reasons(limits, source(*said[1:])) == [None] * 3


def test_the_whole_source_is_only_read_for_rules_that_ask() -> None:
    asked: list[tuple[str, ...]] = []

    def scores(*only: str) -> list[tuple[str, dict[str, Any]]]:
        asked.append(only)
        return []

    filter.informed(filter.prepare({"length": {}, "completion": {}, "repetition": {}}), scores)
    filter.informed(filter.prepare({"boilerplate": {"action": "count"}}), scores)
    assert asked == []
    filter.informed(filter.prepare({"length": {"max_times_p99": 2.0}, "boilerplate": {"action": "drop"}}), scores)
    assert asked == [("boilerplate",), ("length",)]


@pytest.mark.parametrize(("action", "dropped", "counted"), [("drop", 1, 0), ("count", 0, 1), ("keep", 0, 0)])
def test_a_rule_drops_counts_or_keeps_what_breaks_it(action: str, dropped: int, counted: int) -> None:
    refused, kept = record(said="I'm sorry, but I can't help with that."), record()
    rows = [(each.id, scored(each)) for each in (refused, kept)]
    rules = filter.prepare({"refusal": {"action": action}})
    assert sum(filter.decide(i, "sample", row, rules) is not None for i, row in rows) == dropped
    assert filter.counted(rules, lambda *only: rows, {refused.id, kept.id}).total() == counted
    assert filter.counted(rules, lambda *only: rows, {kept.id}).total() == 0


# length


def test_words_are_what_spaces_part_and_letters_of_chinese() -> None:
    assert count_words("One two\nthree\t four ") == 4
    assert count_words("naïve café") == 2
    assert count_words("今天天气 good") == 5
    assert count_words("") == 0


@given(st.text(alphabet="ab \n\t\r", max_size=40))
def test_words_of_ascii_are_counted_as_python_splits_them(text: str) -> None:
    assert count_words(text) == len(text.split())


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"min_prompt_words": 7}, "prompt_too_short"),
        ({"max_reply_words": 5}, "reply_too_long"),
        ({"min_reply_characters": 40}, "reply_too_short"),
        ({"max_prompt_characters": 20}, "prompt_too_long"),
        ({"max_characters": 50}, "record_too_long"),
        ({"min_prompt_words": 6, "max_reply_words": 7, "max_characters": 99}, None),
    ],
)
def test_limits_in_words_and_characters_hold_where_they_are_set(limits: dict[str, int], expected: str | None) -> None:
    assert reason("length", record(), **limits) == expected


def test_a_record_far_longer_than_its_source_is_an_outlier() -> None:
    said = [f"{PLAIN} It is number {n}." for n in range(199)] + [LONG * 3]
    assert reasons({"length": {"max_times_p99": 3.0}}, source(*said)) == [None] * 199 + ["length_outlier"]
    assert reasons({"length": {"max_times_p99": 3.0}}, source(*said[-50:])) == [None] * 50  # too few for a percentile
    assert reasons({"length": {}}, source(*said)) == [None] * 200


@given(st.lists(st.integers(1, 50), min_size=100, max_size=300))
def test_the_99th_percentile_is_the_nearest_rank(sizes: list[int]) -> None:
    check = checks.check("length")
    found = check.summary(iter([{"tokens": size} for size in sizes]), check.Params(max_times_p99=1.0))
    assert sum(size <= found for size in sizes) >= 0.99 * len(sizes)
    assert sum(size < found for size in sizes) <= 0.99 * len(sizes)


# repetition


def test_lines_said_again_and_again_are_dropped() -> None:
    assert reason("repetition", record(said="\n".join(["Synchronising"] * 7))) == "repeated_lines"
    assert reason("repetition", record(said="\n".join(["- yes"] * 9))) is None


def test_a_long_reply_that_ends_in_a_circle_is_dropped() -> None:
    said = " ".join(f"word{n}" for n in range(300)) + " and so it goes" * 12
    assert reason("repetition", record(said=said)) == "loop"
    assert reason("repetition", record(said=said), max_loop_words=60) is None


@pytest.mark.parametrize(
    "said",
    [
        "name | plan | price\n-----|------|-----\n" + "Ada of Rome | Pro plan | 5 a month\n" * 30,
        "<table>\n" + "  <tr><td></td><td></td><td></td><td></td></tr>\n" * 20 + "</table>",
        "```sql\n" + "INSERT INTO t VALUES (1, 2, 3)\n" * 30 + "```",
        "def f(x):\n" + "    x = step(x)\n    print(x)\n" * 20,
    ],
)
def test_tables_markup_and_code_may_repeat(said: str) -> None:
    assert reason("repetition", record(said=said)) is None


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4), st.integers(4, 12))
def test_a_unit_said_four_times_or_more_at_the_end_is_a_loop_as_a_whole(unit: list[str], turns: int) -> None:
    assert checks.check("repetition").loop(["x", "y", *unit * turns]) >= len(unit) * turns
    assert checks.check("repetition").loop([str(n) for n in range(20)]) == 0


# other languages than English

REFUSED = {
    "de": "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.",
    "de, a model": "Als KI-Sprachmodell kann ich keine persönlichen Meinungen äußern.",
    "fr": "Je suis désolé, mais je ne peux pas vous aider à faire cela.",
    "es": "Lo siento, pero no puedo ayudarte con eso.",
    "pt": "Desculpe, mas não posso ajudar com esse pedido.",
    "it": "Mi dispiace, ma non posso aiutarti con questa richiesta.",
    "zh": "很抱歉，我无法提供这方面的帮助。",
    "ja": "申し訳ありませんが、そのご要望にはお応えできません。",
}
NOT_REFUSED = [
    "Es tut mir leid, dass das passiert ist. Öffnen Sie die Einstellungen und melden Sie sich neu an.",
    "Ich kann das Fenster nicht öffnen, sagte er, und ging hinaus.",
    "Lo siento mucho. Abra el menú y elija su cuenta.",
    "Je ne peux que vous recommander ce livre.",
    "抱歉让您久等了。请打开设置，然后选择帐户。",
    "お待たせして申し訳ありません。設定を開いてください。",
    "Non posso che consigliarlo: è il miglior libro dell'anno.",
]


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_found_in_eight_languages(name: str) -> None:
    assert value("refusal", record(said=REFUSED[name]))


@pytest.mark.parametrize("said", NOT_REFUSED)
def test_an_apology_with_an_answer_in_another_language_is_no_refusal(said: str) -> None:
    assert not value("refusal", record(said=said))


@pytest.mark.parametrize(
    "said",
    ["Das weiß ich nicht.", "Je ne sais pas !", "No lo sé.", "Não sei", "Non lo so.", "我不知道。", "わかりません。"],
)
def test_a_non_answer_is_found_in_eight_languages(said: str) -> None:
    assert value("non_answer", record(said=said)) == "non_answer"


@pytest.mark.parametrize(
    "slot",
    [
        "[Ihr Name]",
        "[Votre nom]",
        "[Su nombre]",
        "[Seu nome]",
        "[Il tuo nome]",
        "[您的姓名]",
        "[あなたの名前]",
        "[Datum]",
    ],
)
def test_a_placeholder_is_found_in_eight_languages(slot: str) -> None:
    assert value("placeholder", record(said=f"... {slot}")) == slot
    assert value("placeholder", record(said=f"您好{slot}，")) == slot
    assert value("placeholder", record(said=f"... {slot}(https://a.example)")) is None


def test_a_reply_copied_from_a_prompt_in_another_language_is_not_judged_because_its_task_is_not_known() -> None:
    text = "Der Hund lief über die Straße und bellte laut, weil der Briefträger an der Tür des Nachbarn stand."
    english = "The dog ran across the road and barked loudly, because the postman stood at the door of the neighbour."
    assert value("copied", record(f"Gib nur den Satz über den Hund wieder: {text}", text)) == 0
    assert value("copied", record(f"Say something about this: {english}", english)) > 0.9


# cut off


def test_json_that_is_nested_deeper_than_any_reader_follows_is_not_told_and_ends_no_run() -> None:
    assert value("cut_off", record(said='{"a":[' * 100_000 + "1")) is None


# language

CHINESE, GREEK = "请打开设置", "Άνοιξε το μενού και διάλεξε μετονομασία"


@pytest.mark.parametrize(
    "said", [CHINESE, GREEK, "打开设置，选择帐户", "Да, откройте меню", "はい、そうです", "설정을 여세요"]
)
def test_a_text_wholly_in_a_script_of_no_allowed_language_is_dropped_though_the_model_cannot_tell(said: str) -> None:
    assert reason("language", record(said=said), min_confidence=1.0) == "wrong_language"


@pytest.mark.parametrize("said", ["The word 你好 means hello in Chinese.", "α + β", "Σ", "😀 🎉", "5 µm", "你好"])
def test_a_few_letters_of_another_script_are_no_other_language(said: str) -> None:
    assert reason("language", record(said=said)) is None


def test_han_letters_may_be_japanese() -> None:
    assert reason("language", record("東京都渋谷区", "日本語です"), allowed=("en", "ja")) is None


def test_one_turn_in_another_language_is_found_among_many() -> None:
    turns = [{"role": "user", "content": PLAIN}, {"role": "assistant", "content": PLAIN}]
    german = {"role": "assistant", "content": "Öffnen Sie die Einstellungen und wählen Sie dann Ihr Konto aus."}
    mixed = record(messages=[*turns, *turns, turns[0], german, *turns])
    found = value("language", mixed)
    assert found["reply"][0] == "en"
    assert [language for language, _ in found["turns"]] == ["de"]
    assert reason("language", mixed) == "wrong_language"
    per_side = decode(encode(checks.check("language").measure(mixed, checks.check("language").Measure(per="side"))))
    assert "turns" not in per_side


@pytest.mark.parametrize(("name", "expected"), sorted(ALONE.items()))
def test_a_script_that_one_language_writes_tells_it(name: str, expected: str) -> None:
    assert writers(name) == {expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Това е съобщение на български език", "bg"),
        ("Это сообщение на русском языке, объявление", "ru"),
        ("Ово је порука на српском језику", "sr"),
        ("Це повідомлення українською мовою", "uk"),
        ("これは日本語の文です", "ja"),
        ("这是一个用中文写的句子，很容易看懂", "zh"),
        ("이것은 한국어 문장입니다", "ko"),
        ("Αυτό είναι ένα μήνυμα", "el"),
        ("Dette er ein kort tekst på nynorsk som ikkje er så lang", "no"),
        ("Où est-il", None),
        ("Ja", None),
        ("漢字", None),
    ],
)
def test_the_letters_help_to_tell_a_language(text: str, expected: str | None) -> None:
    assert lid.detect(text, frozenset(checks.check("language").LANGUAGES))[0] == expected


@given(st.text(alphabet="abcdefgéöñçßøåłşı '.,", max_size=9))
def test_nothing_is_said_of_a_latin_text_under_ten_characters(text: str) -> None:
    assert lid.detect(text, frozenset(checks.check("language").LANGUAGES)) == (None, 0.0)


@given(
    st.text(max_size=9)
    | st.text(alphabet="".join(chr(0x5D0 + n) for n in range(20)) + "あいカ漢字가나กขअकΩя ", max_size=9)
)
def test_nothing_is_said_of_any_text_under_ten_characters_as_a_name_is_quoted_in_its_own_script(text: str) -> None:
    assert lid.detect(text, frozenset(checks.check("language").LANGUAGES)) == (None, 0.0)


@pytest.mark.parametrize("said", ["ใช่", "כן", "はい", "안녕", "այո", "打开设置"])
def test_a_short_turn_in_a_script_is_surely_in_no_language_of_another_script(said: str) -> None:
    assert reason("language", record(said=said)) == "wrong_language"


@pytest.mark.parametrize(
    ("text", "expected", "candidates"),
    [
        ("Om het even wat voor boot, die mag hier niet varen.", "nl", ("nl", "de")),
        ("Hvis du har lyst, kan vi lige tage en tur til.", "da", ("da", "no", "sv")),
        ("Når han kom frem, var det noe annet, sa hun.", "no", ("da", "no", "sv")),
        ("Nu am putut sa ajung la timp din cauza ca trenul a intarziat.", "ro", ()),
        ("Həsən evdə yoxdur, sonra gələcək.", "az", ()),
        ("Kas te saate mulle öelda, kus see asub, või ei?", "et", ()),
    ],
)
def test_small_words_and_letters_tell_a_language_from_its_neighbours(text: str, expected: str, candidates: Any) -> None:
    assert lid.detect(text, frozenset(candidates or checks.check("language").LANGUAGES))[0] == expected


def test_small_words_never_make_a_text_one_of_a_candidate_that_the_model_is_sure_it_is_not() -> None:
    assert (
        lid.detect("Das ist ja das Haus, in dem wir die Tiere halten und pflegen.", frozenset({"nl", "en"}))[0] == "de"
    )


def test_every_list_of_small_words_is_of_a_language_that_is_told() -> None:
    told = set(checks.check("language").LANGUAGES)
    assert function_words.WORDS.keys() | function_words.LETTERS.keys() <= told
    for words in function_words.WORDS.values():
        assert len(words.split()) == len(set(words.split()))
        assert words == words.lower()
    assert all(
        letter.lower() == letter and not letter.isascii() for each in function_words.LETTERS.values() for letter in each
    )


@given(st.text(max_size=60) | st.text(alphabet="абвіїјЖ हिमر ا漢か가ა 12.", max_size=60))
def test_any_text_is_in_a_language_or_in_none(text: str) -> None:
    found, share = lid.detect(text, frozenset({"en", "ru"}))
    assert 0 <= share <= 1
    assert found or share == 0


@given(st.text(max_size=60))
def test_the_script_of_any_text_has_a_share(text: str) -> None:
    name, letters, share = script(text)
    assert 0 <= share <= 1
    assert letters <= len(text)
    assert name == "Latn" or writers(name)


# cut_off


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('{"name": "Ada", "lists": ["home", "wo', "json"),
        ('[{"id": 1}, {"id": 2', "json"),
        ('[\n  "one",\n  "two"', "json"),
        ("There are three ways to share a list with people (the one that", "bracket"),
        ("You will find more in the handbook [see the page on", "bracket"),
        (f"{LONG} After that the window closes, and all that you typed into it is saved for the others too", "no_end"),
        ('{"name": "Ada"}', None),
        ("[1] is the first entry of the list of sources in this text", None),
        ("The value lies in the half-open interval from nought to one, which is [0, 1)", None),
        ("It took me two days to find the mistake in this line of code :(", None),
        ("{city} is filled in with the name of the town that you choose", None),
        (f"{LONG}\n- close the window and save what you typed into the fields of the form before", None),
    ],
)
def test_where_a_reply_breaks_off_is_told(said: str, kind: str | None) -> None:
    assert value("cut_off", record(said=said)) == kind


def test_prose_without_an_end_is_only_dropped_where_an_end_is_needed() -> None:
    said = f"{LONG} After that the window closes, and all that you typed into it is saved for the others too"
    assert reason("cut_off", record(said=said)) is None
    assert reason("cut_off", record(said=said), needs_an_end=True) == "cut_off"


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), min_size=1), st.data())
def test_json_is_cut_off_exactly_when_some_of_it_is_missing(content: dict[str, Any], data: st.DataObject) -> None:
    whole = encode(content).decode()
    assert value("cut_off", record(said=whole)) is None
    end = data.draw(st.integers(3, len(whole) - 1))
    if not whole[:end].endswith(tuple(" \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85")):
        assert checks.check("cut_off").truncated(whole[:end])


# completion


def test_a_reply_shorter_than_its_topic_expects_is_incomplete() -> None:
    said = ["one two three four five six seven eight"] * 30 + ["one two three"]
    assert reasons({"completion": {"min_ratio": 0.5}}, source(*said)) == [None] * 30 + ["incomplete"]
    assert reasons({"completion": {}}, source(*said)) == [None] * 31
    billing = source("one two three", meta={"topic": "billing"})
    limits = {"completion": {"min_ratio": 0.8, "expected_words": {"billing": 4}}}
    assert reasons(limits, billing) == ["incomplete"]
    assert reasons({"completion": {"min_ratio": 0.8, "expected_words": {"sync": 9}}}, billing) == [None]


def test_a_topic_with_records_enough_has_a_median_of_its_own() -> None:
    check = checks.check("completion")
    rows = [("short", 2)] * 20 + [("rare", 50)] * 3 + [(None, 40)] * 50
    assert check.summary(iter(rows), check.Params(min_ratio=0.8)) == {None: 40, "short": 2}


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_a_median_parts_the_numbers_in_halves(numbers: list[int]) -> None:
    from collections import Counter

    middle = checks.check("completion").median(Counter(numbers))
    assert 2 * sum(number <= middle for number in numbers) >= len(numbers)
    assert 2 * sum(number < middle for number in numbers) <= len(numbers)


# empty


def test_a_blank_turn_in_the_middle_is_dropped_and_a_call_or_an_empty_result_is_none() -> None:
    user, said = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello to you."}
    assert reason("empty", record(messages=[user, {**said, "content": " \n"}, user, said])) == "empty_turn"
    calling = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    result = {"role": "tool", "content": "", "tool_call_id": "a" * 9}
    assert reason("empty", record(messages=[user, calling, result, said])) is None


# refusal


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot assist with that request.",
        "I am unable to provide legal advice.",
        "Sorry, I can't answer this.",
        "As an AI language model, I don't have personal opinions.",
        "Unfortunately, I cannot create such content. Ask a lawyer instead.",
        "I won't write that for you.",
        "I apologize, but I am not able to help with this request.",
    ],
)
def test_a_refusal_is_found_whatever_its_words(said: str) -> None:
    assert reason("refusal", record(said=said)) == "refusal"


@pytest.mark.parametrize(
    "said",
    [
        PLAIN,
        "I'm sorry to hear that! Restart the app and it will work again.",
        "Sorry for the trouble. Your refund is on its way.",
        "You cannot share a list with more than ten people.",
        "If you can't find the button, open the settings.",
        "The AI assistant can help with that.",
        "Guests can't create tasks, but members can.",
    ],
)
def test_an_apology_or_a_limit_is_no_refusal(said: str) -> None:
    assert reason("refusal", record(said=said)) is None


# non_answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I don't know.", "non_answer"),
        ("i DON'T know!!", "non_answer"),
        ("I’m not sure.", "non_answer"),
        ("No idea, sorry.", "non_answer"),
        ("Sorry, I don't know the answer to that.", "non_answer"),
        ("N/A", "non_answer"),
        ("It depends.", "non_answer"),
        ("Great question!", "generic_reply"),
        ("Thank you for reaching out! Have a nice day.", "generic_reply"),
        ("Sure, I will look into it. Is there anything else I can help you with?", "generic_reply"),
        ("Paris.", None),
        ("No.", None),
        ("Yes", None),
        ("Sure", None),
        ("None", None),
        ("I don't know who wrote it, but it is from 1850.", None),
        ("Great question! Open the menu.", None),
        ("It depends on the plan: Pro has it.", None),
        ("42", None),
    ],
)
def test_only_a_reply_that_is_nothing_else_is_a_non_answer(said: str, expected: str | None) -> None:
    assert reason("non_answer", record(said=said)) == expected


@given(
    st.from_regex(checks.check("non_answer").NON_ANSWER, fullmatch=True)
    | st.from_regex(checks.check("non_answer").GENERIC, fullmatch=True)
)
def test_every_phrase_of_a_non_answer_passes_the_gate(phrase: str) -> None:
    assert checks.check("non_answer").LIKELY.match(phrase)


# placeholder


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Dear [Your Name], welcome.", "[Your Name]"),
        ("Best wishes,\n[Recipient's Name]", "[Recipient's Name]"),
        ("Dear {{customer}}, welcome.", "{{customer}}"),
        ("Go to <insert link> for more.", "<insert link>"),
        ("Call us on [DATE].", "[DATE]"),
        ("Hello [NAME]", "[NAME]"),
    ],
)
def test_what_was_never_filled_in_is_found(said: str, found: str) -> None:
    assert value("placeholder", record(said=said)) == found
    assert value("placeholder", record(asked=said)) == found


@pytest.mark.parametrize(
    "said",
    [
        "Write to [EMAIL] or call [PHONE].",
        "Use `{{ name }}` in the template.",
        "```jinja\nDear {{ name }}\n```",
        "See [your profile](https://example.org).",
        "He said [the minister] would come.",
        "a[i] and [1, 2]",
        "[city]: https://example.org",
        "if a < b and c > d",
    ],
)
def test_what_collect_put_there_code_and_links_are_no_placeholders(said: str) -> None:
    assert value("placeholder", record(said=said)) is None


# boilerplate


def test_a_reply_with_a_sentence_of_its_own_is_no_boilerplate() -> None:
    same = "I'll escalate this. Is there anything else today?"
    own = "I'll escalate this. Your export starts at noon."
    limits = {"boilerplate": {"action": "drop", "min_records": 4}}
    assert reasons(limits, source(*[same] * 4, own)) == ["boilerplate"] * 4 + [None]


def test_a_label_is_no_boilerplate_however_frequent() -> None:
    assert reasons({"boilerplate": {"action": "drop", "min_records": 4}}, source(*["Not spam"] * 20)) == [None] * 20


def test_a_sentence_must_be_frequent_for_the_size_of_its_source() -> None:
    said = ["We will get back to you."] * 5 + [f"{n} {PLAIN}" for n in range(95)]
    for share, dropped in ((0.05, 5), (0.06, 0)):
        limits = {"boilerplate": {"action": "drop", "min_records": 2, "min_share": share}}
        assert sum(each is not None for each in reasons(limits, source(*said))) == dropped


# leakage and copied

ARTICLE = (
    "The council met on Monday to settle the plan for the harbour. After four hours its members agreed to move the ferry "
    "to the northern pier, where larger ships can moor, and to leave the fish market where it has been for a century."
)
GIST = "The ferry moves to the northern pier; the fish market stays."


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (f"Summarise this text: {ARTICLE} SUMMARY: {GIST}", GIST),
        (f"Summarise.\n\n{ARTICLE}\n\n**Summary:** {GIST}\n", GIST),
        ("Is this spam? Win a car now! Label: spam", "spam"),
        (f"{ARTICLE}\nTL;DR: {GIST} Now say it again in other words than these.", GIST),
        (f"Question: where does it go?\nAnswer: {GIST}", f"{GIST} It opens in May."),
    ],
)
def test_a_reply_that_stands_behind_a_cue_in_its_prompt_is_a_leak(asked: str, said: str) -> None:
    assert reason("leakage", record(asked, said)) == "label_leakage"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (f"Summarise this text: {ARTICLE}\nSUMMARY:", GIST),
        (f"Which sentence is about ships? {ARTICLE}", "After four hours its members agreed to move the ferry"),
        ("2 + 2 =\nAnswer: 4\n\n3 + 1 =\nAnswer:", "4"),
        ("Answer with yes or no: is it open?", "yes"),
        ("Label: positive or negative? I loved it.", "positive"),
        ("Correct the sentence: He go home.", "He goes home."),
        ("Repeat after me: all is well", "all is well"),
        (f"{ARTICLE}\nQuote what it says on the market.", "leave the fish market where it has been for a century"),
        ("", "Hello"),
    ],
)
def test_options_examples_quotes_and_corrections_are_no_leaks(asked: str, said: str) -> None:
    assert reason("leakage", record(asked, said)) is None


def test_a_summary_that_only_repeats_is_copied_and_an_extract_is_not() -> None:
    part = ARTICLE[62:]
    assert reason("copied", record(f"Summarise: {ARTICLE}", part)) == "copied_from_prompt"
    assert (
        reason("copied", record(f"Summarize: {ARTICLE}", f"{part[:90]} and much more besides")) == "copied_from_prompt"
    )
    for asked in (
        "Extract the decision",
        "Quote the second sentence",
        "Which part names the ferry?",
        "Fix the spelling",
    ):
        assert reason("copied", record(f"{asked}: {ARTICLE}", part)) is None
    assert reason("copied", record(f"Summarise: {ARTICLE}", GIST * 2)) is None


@given(st.text(alphabet="abc ", min_size=80, max_size=200), st.text(alphabet="xyz", max_size=50), st.data())
def test_of_a_copied_reply_the_whole_share_is_measured(said: str, before: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(len(said) // 2, len(said)))
    start = data.draw(st.integers(0, len(said) - size))
    share = value("copied", record(before + said[start : start + size] + "!", said))
    assert share >= round(size / len(said), 3) - 0.001


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_texts_begin_alike_for_as_long_as_they_are_equal(one: str, other: str) -> None:
    length = begin_alike(one, other)
    assert one[:length] == other[:length]
    assert one[length : length + 1] != other[length : length + 1] or length == len(one) == len(other)


# encoding


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("It doesnâ€™t open.", "mojibake"),
        ("Das LÃ¼beck von gestern", "mojibake"),
        ("It costs 40 \ufffd a year.", "replacement_characters"),
        ("It is \x08 here", "control_characters"),
        ("Ça coûte 40 € – et voilà, « déjà vu » … naïve", None),
        ("Größe: 5 µm, 20 °C, ½ l, x², façade, ÅNGSTRÖM", None),
        ("Это русский текст, а это – наш", None),
        ("日本語のテキストです。", None),
        (PLAIN, None),
    ],
)
def test_a_reply_that_was_decoded_wrongly_is_dropped(said: str, expected: str | None) -> None:
    assert reason("encoding", record(said=said)) == expected


def test_a_question_may_quote_what_went_wrong() -> None:
    assert reason("encoding", record("Why does ä turn into Ã¤ after the import?")) is None
    assert reason("encoding", record("Itâ€™s Iâ€™m youâ€™re")) == "mojibake"


WORDS = st.sampled_from(["ignore", "the rubric", "you are now", "def f(x):", "x;", "{", "好", "é", "\n", "\0", " "])


@given(st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=8))
def test_one_search_through_many_texts_finds_those_that_a_search_of_each_finds(texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "BLOCK", 30)
        for pattern in (injection.TELLING, prose.UNFENCED):
            each = [place for place, text in enumerate(texts) if patterns.compiled(pattern).search(text)]
            assert patterns.holding(pattern, texts) == each


@pytest.mark.parametrize(
    "text", ["donâ€™t", "LÃ¼beck", "naïve café", "ÐŸÑ€Ð¸Ð²ÐµÑ‚", "“quoted”", "√±", "x² = ½", "œuvre", "Œ!"]
)
def test_the_compiled_patterns_find_what_ftfy_finds(text: str) -> None:
    from ftfy.badness import badness

    assert len(mojibake().findall(text)) == badness(text)


@given(st.text(max_size=60))
def test_damage_is_counted_only_where_the_gate_opens(text: str) -> None:
    assert bool(damage(text)) == (gate().search(text) is not None)
    assert all(count > 0 for count in damage(text).values())


# style


def test_plain_words_read_more_easily_than_long_ones() -> None:
    easy = reading_ease("The cat sat on the mat. The dog ran to the park. We like to play with the ball all day.")
    hard = reading_ease(
        "Notwithstanding considerable organizational heterogeneity, interdepartmental communication infrastructures "
        "necessitate comprehensive institutional reconfiguration, particularly regarding administrative accountability, "
        "regulatory interoperability, and multidisciplinary collaboration."
    )
    assert easy is not None
    assert hard is not None
    assert easy > 90 > 30 > hard


def test_a_good_long_answer_scores_as_well_as_a_short_one() -> None:
    long = " ".join(f"{PLAIN} Then save it, and tell the others where it is now." for _ in range(6))
    for said in (PLAIN + " " + PLAIN, long, "Maybe the list is closed. " + long):
        assert value("style", record(said=said))[1] >= 0.9
    assert value("style", record(said="Maybe, it depends."))[1] < 0.6


def test_scores_drop_nothing_until_a_limit_is_set() -> None:
    poor = record(said="Maybe, it depends.")
    assert reason("style", poor) is None
    assert reason("style", poor, min_style=0.7) == "low_style"
    assert reason("style", record(said=LONG), min_reading_ease=100.0) == "hard_to_read"


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_style_score_is_a_share(asked: str, said: str) -> None:
    ease, score = value("style", record(asked, said))
    assert 0 <= score <= 1
    assert ease is None or ease <= 207


# every check

TEXTS = (
    "leakage",
    "copied",
    "refusal",
    "non_answer",
    "placeholder",
    "boilerplate",
    "encoding",
    "style",
    "cut_off",
)
HOSTILE = (
    " " * 1_000_000,
    "| " * 500_000,
    "`" * 999_999,
    "```" * 333_333,
    "a=1 " * 250_000,
    "[your " * 160_000,
    "{{a" * 300_000,
)
HOSTILE += (
    "i am sorry " * 90_000,
    "(" * 1_000_000,
    '{"' * 500_000,
    "Ãa" * 500_000,
    "answer: " * 120_000,
    "x;  " * 250_000,
)


@pytest.mark.parametrize("name", TEXTS)
def test_a_megabyte_of_hostile_text_is_read_at_once(name: str) -> None:
    for text in HOSTILE:
        value(name, record(text, text + "x"))
        value(name, record(text, text[:100]))


def test_a_megabyte_that_looks_like_code_or_a_table_is_read_at_once() -> None:
    for text in (*HOSTILE, "if (" * 250_000, "a." * 500_000, "<a" * 500_000, "\t| " * 300_000, ")\n" * 500_000):
        without_code(text)


@given(st.text(max_size=200))
def test_prose_is_never_longer_than_the_text(text: str) -> None:
    assert len(without_code(text)) <= len(text) + text.count("`")
