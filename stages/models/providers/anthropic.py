"""Anthropic's interface: messages, and Message Batches at half the price. The SDK is loaded when something is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stages.models.request import Reply, Request, Trouble, Usage, sendable
from stages.models.settings import API, Params, needed_key

if TYPE_CHECKING:
    import anthropic
    from anthropic.types import Message

ADDRESS = "https://api.anthropic.com"
MOST = 10_000  # requests in a batch: 100,000 are allowed, but 256 MB too, and an expired one is asked again whole
STOPS = {"refusal": "refusal", "max_tokens": "max_tokens", "model_context_window_exceeded": "max_tokens"}


def client(given: Params) -> anthropic.Anthropic:
    """The SDK's client, without retries of its own: each attempt is reserved by itself."""
    import anthropic

    return anthropic.Anthropic(
        api_key=needed_key(given),
        base_url=given.address or ADDRESS,
        max_retries=0,
        timeout=given.timeout,
        default_headers={"anthropic-version": API["anthropic"]},
    )


def body(asked: Request) -> dict[str, Any]:
    """What is sent. The rubric in `system` is the same for all records, so it is what the prompt cache keeps."""
    form = {"type": "json_schema", "schema": sendable(asked.schema)} if asked.schema else None
    config = ({"format": form} if form else {}) | ({"effort": asked.effort} if asked.effort else {})
    system = [{"type": "text", "text": asked.system, "cache_control": {"type": "ephemeral"}}]
    return {
        "model": asked.model,
        "max_tokens": asked.max_tokens,
        "messages": [{"role": "user", "content": asked.prompt}],
        **({"system": system} if asked.system else {}),
        **({"output_config": config} if config else {}),
    }


def call(client: anthropic.Anthropic, asked: Request) -> Reply:
    """The reply to one request, or a Trouble."""
    import anthropic

    try:
        raw = client.messages.with_raw_response.create(**body(asked))
        return reply(raw.parse(), raw.headers)
    except anthropic.AnthropicError as error:
        raise trouble(error) from None
    except (ValueError, AttributeError, TypeError) as error:  # a 200 whose body is no message
        raise Trouble(f"a reply that is no message ({type(error).__name__})", again=True, charged=True) from None


def reply(message: Message, headers: Any = None) -> Reply:
    """What a message says."""
    used = message.usage
    text = "".join(block.text for block in message.content if block.type == "text")
    usage = Usage(
        used.input_tokens, used.output_tokens, used.cache_read_input_tokens or 0, used.cache_creation_input_tokens or 0
    )
    end: Any = STOPS.get(message.stop_reason or "", "end")
    left = (headers or {}).get("anthropic-ratelimit-requests-remaining", "")
    return Reply(text, end, message.model, usage, message.stop_reason or "", int(left) if left.isdigit() else None)


def trouble(error: anthropic.AnthropicError) -> Trouble:
    """What an error of the SDK means for the request and for the run."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return of_status(error.status_code, said(error), error.response.headers)
    refused = isinstance(error.__cause__, httpx2.ConnectError)
    again = isinstance(error, anthropic.APIConnectionError | anthropic.APIResponseValidationError)
    return Trouble(str(error) or type(error).__name__, again=again, charged=not refused)


def said(error: anthropic.APIStatusError) -> str:
    """The provider's own words."""
    inner = error.body.get("error") if isinstance(error.body, dict) else None
    return str(inner.get("message")) if isinstance(inner, dict) else error.message


def of_status(status: int, message: str, headers: Any) -> Trouble:
    """What a status means: errors are not charged; 429 and 5xx pass, a wrong key or model does not."""
    again = status in (408, 409, 429) or status >= 500
    poor = "credit balance" in message or "billing" in message or status == 402
    fatal = status in (401, 403, 404) or poor
    return Trouble(f"{status}: {message}", again=again and not poor, charged=False, fatal=fatal, after=after(headers))


def after(headers: Any) -> float | None:
    """Seconds that the provider asks to wait."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None


# batches


def submit(client: anthropic.Anthropic, named: dict[str, Request]) -> str:
    """Hand in a batch of requests by their custom ids; its id."""
    import anthropic

    made: Any = [{"custom_id": name, "params": body(asked)} for name, asked in named.items()]
    try:
        return client.messages.batches.create(requests=made).id
    except anthropic.AnthropicError as error:
        raise trouble(error) from None


def ended(client: anthropic.Anthropic, batch: str) -> bool:
    """Whether all results of a batch are there."""
    import anthropic

    try:
        return client.messages.batches.retrieve(batch).processing_status == "ended"
    except anthropic.AnthropicError as error:
        raise trouble(error) from None


def results(client: anthropic.Anthropic, batch: str) -> Iterator[tuple[str, Reply | Trouble]]:
    """The results of a batch that has ended, by custom id, in no order."""
    import anthropic

    try:
        for each in client.messages.batches.results(batch):
            yield each.custom_id, result(each.result)
    except (anthropic.AnthropicError, ValueError) as error:
        broken = isinstance(error, anthropic.AnthropicError)
        raise trouble(error) if broken else Trouble("a broken line of results", again=True, charged=True) from None  # type: ignore[arg-type]


def result(found: Any) -> Reply | Trouble:
    """One result: a message, or why there is none; only messages are charged."""
    if found.type == "succeeded":
        return reply(found.message)
    inner = found.error.error if found.type == "errored" else None
    wrong = inner is not None and inner.type == "invalid_request_error"
    return Trouble(f"{found.type} {inner.message if inner else ''}".strip(), again=not wrong, charged=False)


def recent(client: anthropic.Anthropic, since: str) -> Iterator[tuple[str, int]]:
    """The batches made since a time, the newest first, each with its number of requests."""
    import anthropic

    try:
        for batch in client.messages.batches.list():
            if batch.created_at.strftime("%Y-%m-%dT%H:%M:%SZ") < since:
                return
            counts = batch.request_counts
            total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
            yield batch.id, total
    except anthropic.AnthropicError as error:
        raise trouble(error) from None
