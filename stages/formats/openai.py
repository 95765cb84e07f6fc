"""OpenAI chat: `{"messages": [{"role", "content", "tool_calls"?}], "tools"?, "label"?}`, or a bare list of messages.

Read: content may be null, a string or a list of parts: texts, tool calls, and reasoning, which is kept as the text between
<think> and </think> that chat templates know; arguments a JSON string or an object; ids anything.
Written: arguments as a JSON string, content null beside tool calls, no key that the format does not know.
"""

from typing import Any

from stages.contract.record import Example, Fault, Message, Record, ToolCall, digest, encode
from stages.contract.source import parse
from stages.formats import text

ROLES = {"developer": "system", "function": "tool"} | {role: role for role in ("system", "user", "assistant", "tool")}


def matches(row: Any) -> bool:
    """Whether the row holds messages with roles, and no losing answer."""
    if isinstance(row, dict) and ("chosen" in row or "rejected" in row):
        return False
    found = row.get("messages") if isinstance(row, dict) else row
    return isinstance(found, list) and bool(found) and all(isinstance(each, dict) and "role" in each for each in found)


def read(row: Any) -> Example:
    """The conversation of one row."""
    if isinstance(row, list):
        row = {"messages": row}
    label = row.get("label")
    if not isinstance(label, bool | None):
        raise Fault("wrong_type", {"field": "label", "expected": "true or false", "found": type(label).__name__})
    return Example(messages(row.get("messages")), tools(row.get("tools", row.get("functions"))), label=label)


def messages(given: Any, field: str = "messages") -> list[Message]:
    """Messages with tool call ids of our own, so that every result names the call it answers."""
    if not isinstance(given, list):
        raise Fault("wrong_type", {"field": field, "expected": "list", "found": type(given).__name__})
    ids: dict[str, str] = {}
    apart = [each for place in range(len(given)) for each in results(given, place)]
    return [message(each, f"{field}[{place}]", ids, place) for place, each in enumerate(apart)]


def results(given: list[Any], place: int) -> list[Any]:
    """The message in this place; one for each call, where it holds the results of all calls before it, in a list."""
    here, before, after = given[place], given[place - 1] if place else None, given[place + 1 :]
    if (
        not is_result(here)
        or not isinstance(before, dict)
        or (after and is_result(after[0]))
        or here.get("tool_call_id")
    ):
        return [here]
    try:
        said = content(here.get("content"), "")
        calls = called(before, "") if said.lstrip().startswith("[") else []
        found = parse(said.encode("utf-8", "replace")) if len(calls) > 1 else []
    except Fault:
        return [here]
    return [{**here, "content": told(each)} for each in found] if found and len(found) == len(calls) else [here]


def is_result(given: Any) -> bool:
    """Whether a message is what a tool returned."""
    return isinstance(given, dict) and ROLES.get(str(given.get("role"))) == "tool"


def told(result: Any) -> str:
    """What a tool returned, as text, without the object that names its call."""
    said = result["content"] if isinstance(result, dict) and "content" in result else result
    return said if isinstance(said, str) else encode(said).decode()


def message(given: Any, field: str, ids: dict[str, str], place: int) -> Message:
    """One message; `ids` maps the row's call ids to ours and grows."""
    if not isinstance(given, dict):
        raise Fault("wrong_type", {"field": field, "expected": "object", "found": type(given).__name__})
    role = ROLES.get(str(given.get("role")))
    if role is None:
        raise Fault("unknown_role", {"field": f"{field}.role"})
    calls = [
        tool_call(call, f"{field}.tool_calls[{n}]", ids, f"{place}.{n}") for n, call in enumerate(called(given, field))
    ]
    name, weight = given.get("name"), given.get("weight", given.get("loss_weight"))
    if weight not in (None, 0, 1) or isinstance(weight, bool):  # to Python, true is 1
        raise Fault("wrong_type", {"field": f"{field}.weight", "expected": "0 or 1", "found": type(weight).__name__})
    return Message(
        role=role,  # type: ignore[arg-type]
        content=content(given.get("content"), f"{field}.content"),
        tool_calls=calls,
        tool_call_id=answered(given, ids) if role == "tool" else None,
        name=None if name is None else text(name, f"{field}.name"),
        weight=None if weight is None else int(weight),  # type: ignore[arg-type]
    )


def called(given: dict[str, Any], field: str) -> list[Any]:
    """The tool calls of a message, the one old-style function call and those among the parts of its content too."""
    if isinstance(given.get("function_call"), dict):
        return [{"function": given["function_call"]}]
    parts = given.get("content")
    if among := [part for part in parts if is_call(part)] if isinstance(parts, list) else []:
        return [part_call(part, f"{field}.content") for part in among]
    calls = given.get("tool_calls") or []
    if not isinstance(calls, list):
        raise Fault("wrong_type", {"field": f"{field}.tool_calls", "expected": "list", "found": type(calls).__name__})
    return calls


def answered(given: dict[str, Any], ids: dict[str, str]) -> str | None:
    """Our id of the call that a tool message answers: the one it names, or, naming none, the oldest unanswered."""
    named = given.get("tool_call_id")
    if named is None:
        return ids.pop(next(iter(ids)), None) if ids else None
    return ids.pop(str(named), None) or digest("unknown call", str(named))[:9]


def content(given: Any, field: str) -> str:
    """The text of a message; parts that are not text cannot be kept."""
    if given is None:
        return ""
    if not isinstance(given, list):
        return text(given, field)
    return "".join(part_text(part, f"{field}[{place}]") for place, part in enumerate(given) if not is_call(part))


def part_text(part: Any, field: str) -> str:
    """The text of one part of a message's content."""
    kind = part.get("type", "text") if isinstance(part, dict) else None
    if kind not in ("text", "reasoning"):
        raise Fault("not_text", {"field": field})
    said = text(part.get("text", part.get("value")), f"{field}.text")
    return said if kind == "text" else f"<think>\n{said}\n</think>\n\n"


def is_call(part: Any) -> bool:
    """Whether a part of a message's content is a tool call."""
    return isinstance(part, dict) and part.get("type") == "tool_call"


def part_call(part: dict[str, Any], field: str) -> Any:
    """The call that a part holds, as an object or as the JSON text of one."""
    given = part.get("value", part)
    if not isinstance(given, str):
        return given
    try:
        return parse(given.encode("utf-8", "replace"))
    except Fault as fault:
        raise Fault("bad_arguments", {"field": field, "found": fault.reason}) from None


def tool_call(given: Any, field: str, ids: dict[str, str], place: str) -> ToolCall:
    """One call with an id of our own: the same conversation always gets the same ids."""
    function = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(function, dict):
        raise Fault("wrong_type", {"field": field, "expected": "object", "found": type(given).__name__})
    name = text(function.get("name"), f"{field}.name")
    found = arguments(function.get("arguments", {}), f"{field}.arguments")
    ours = digest(place)[:9]  # of nothing that is redacted later
    ids[str(given.get("id") or ours)] = ours
    return ToolCall(ours, name, found)


def arguments(given: Any, field: str) -> dict[str, Any]:
    """A call's arguments as an object, whether they came as one or as the JSON text of one."""
    try:
        found = parse(given.encode("utf-8", "replace")) if isinstance(given, str) else given
    except Fault as fault:
        raise Fault("bad_arguments", {"field": field, "found": fault.reason}) from None
    if not isinstance(found, dict):
        raise Fault("bad_arguments", {"field": field, "found": type(found).__name__})
    return found


def tools(given: Any) -> list[dict[str, Any]]:
    """Tool definitions, each `{"type": "function", "function": {…}}`, from a list or the JSON text of one."""
    if isinstance(given, str):
        given = parse(given.encode("utf-8", "replace")) if given.strip() else None
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(tool, dict) for tool in given):
        raise Fault("wrong_type", {"field": "tools", "expected": "list of objects", "found": type(given).__name__})
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in given]


def write(record: Record) -> dict[str, Any]:
    """The record as a training row."""
    row: dict[str, Any] = {"messages": [written(message) for message in record.messages]}
    return row | ({"tools": record.tools} if record.tools else {})


def written(message: Message) -> dict[str, Any]:
    """One message as the format spells it."""
    row: dict[str, Any] = {"role": message.role, "content": message.content or (None if message.tool_calls else "")}
    if message.tool_calls:
        row["tool_calls"] = [written_call(call) for call in message.tool_calls]
    optional = {"tool_call_id": message.tool_call_id, "name": message.name, "weight": message.weight}
    return row | {field: value for field, value in optional.items() if value is not None}


def written_call(call: ToolCall) -> dict[str, Any]:
    """One call as the format spells it: its arguments are the text of an object."""
    function = {"name": call.name, "arguments": encode(call.arguments).decode()}
    return {"id": call.id, "type": "function", "function": function}
