"""The chat interface that OpenAI, vLLM, Ollama and llama.cpp share, over plain HTTP: no SDK is needed for one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.models.providers.anthropic import of_status
from stages.models.request import Reply, Request, Trouble, Usage, sendable
from stages.models.settings import Params, needed_key

if TYPE_CHECKING:
    import httpx2

ADDRESS = "https://api.openai.com/v1"
STOPS = {"length": "max_tokens", "content_filter": "refusal"}


def client(given: Params) -> httpx2.Client:
    """Connections to the address; a server of one's own may need no key."""
    import httpx2

    key = needed_key(given)
    many = httpx2.Limits(max_connections=given.concurrency, max_keepalive_connections=given.concurrency)
    return httpx2.Client(
        base_url=(given.address or ADDRESS).rstrip("/") + "/",
        headers={"authorization": f"Bearer {key}"} if key else {},
        timeout=given.timeout,
        limits=many,
    )


def body(asked: Request, own: bool) -> dict[str, Any]:
    """What is sent; servers of one's own know the length of a reply by its older name."""
    system = [{"role": "system", "content": asked.system}] if asked.system else []
    schema = {"name": "reply", "strict": True, "schema": sendable(asked.schema)} if asked.schema else None
    return {
        "model": asked.model,
        "max_tokens" if own else "max_completion_tokens": asked.max_tokens,
        "messages": [*system, {"role": "user", "content": asked.prompt}],
        **({"response_format": {"type": "json_schema", "json_schema": schema}} if schema else {}),
        **({"reasoning_effort": asked.effort} if asked.effort else {}),
    }


def call(client: httpx2.Client, asked: Request) -> Reply:
    """The reply to one request, or a Trouble."""
    import httpx2

    own = not str(client.base_url).startswith(ADDRESS)
    try:
        got = client.post("chat/completions", json=body(asked, own))
    except httpx2.HTTPError as error:
        refused = isinstance(error, httpx2.ConnectError)
        raise Trouble(str(error) or type(error).__name__, again=True, charged=not refused) from None
    if got.status_code != httpx2.codes.OK:
        raise of_status(got.status_code, said(got), got.headers)
    try:
        return reply(got.json(), got.headers)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Trouble(f"a reply that is no completion ({type(error).__name__})", again=True, charged=True) from None


def said(got: httpx2.Response) -> str:
    """The server's own words."""
    try:
        return str(got.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(got.text[:200].split())


def reply(content: Any, headers: Any) -> Reply:
    """What a completion says."""
    choice, used = content["choices"][0], content.get("usage")
    message = choice["message"]
    end: Any = "refusal" if message.get("refusal") else STOPS.get(choice["finish_reason"], "end")
    cached = ((used or {}).get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    usage = Usage(int(used["prompt_tokens"]) - cached, int(used["completion_tokens"]), cached) if used else None
    left = headers.get("x-ratelimit-remaining-requests", "")
    left = int(left) if left.isdigit() else None
    return Reply(message.get("content") or "", end, content.get("model") or "", usage, choice["finish_reason"], left)
