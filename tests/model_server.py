"""A language model on loopback that speaks the makers' wire formats, counts what it charges, and misbehaves on order.

`orders` says what becomes of a request: a function of its prompt and of how often that prompt was sent before gives the
name of a fault, or nothing. What the model replies is told by `reply`. In batches: `half_expired`, `twice`, `broken_line`.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

KEY = "a key for tests"
FAULTS = {  # status, kind of error, headers
    "429": (429, "rate_limit_error", {}),
    "429 for an hour": (429, "rate_limit_error", {"retry-after": "3600"}),
    "529": (529, "overloaded_error", {}),
    "500": (500, "api_error", {}),
    "invalid": (400, "invalid_request_error", {}),
    "no model": (404, "not_found_error", {}),
}


def judged(prompt: str) -> str:
    """What an honest judge replies."""
    return json.dumps({"reason": f"of {prompt[:20]}", "score": 1 + len(prompt) % 5})


class Server(ThreadingHTTPServer):
    """State and behaviour. `paid` counts the replies to each prompt that were charged, `usd` their micro-dollars."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.orders: Callable[[str, int], str] = lambda prompt, before: ""
        self.reply: Callable[[str], str] = judged
        self.latency = 0.0
        self.prices = (Decimal("0.1"), Decimal("0.5"))
        self.looks = 1
        self.half_expired = self.twice = self.broken_line = self.deaf = False
        self.asked: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.usd = Decimal()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.batches: dict[str, dict[str, Any]] = {}
        self.flying = self.most = self.calls = 0
        self.remaining: int | None = None
        self.retry_after = "0.05"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error here."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def charge(self, prompt: str, used: tuple[int, int], factor: Decimal = Decimal(1)) -> None:
        with self.lock:
            self.paid[prompt] += 1
            self.usd += factor * (used[0] * self.prices[0] + used[1] * self.prices[1])

    def batch(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        name = f"msgbatch_{len(self.batches):04d}"
        made = {
            "requests": requests,
            "looks": 0,
            "created_at": datetime.now(UTC).isoformat(),
            "id": name,
            "lines": None,
        }
        self.batches[name] = made
        return made

    def shown(self, batch: dict[str, Any]) -> dict[str, Any]:
        done = batch["looks"] > self.looks
        total = len(batch["requests"])
        counts = {
            "processing": 0 if done else total,
            "succeeded": total if done else 0,
            "errored": 0,
            "canceled": 0,
            "expired": 0,
        }
        return {
            "id": batch["id"],
            "type": "message_batch",
            "processing_status": "ended" if done else "in_progress",
            "request_counts": counts,
            "created_at": batch["created_at"],
            "expires_at": batch["created_at"],
            "ended_at": batch["created_at"] if done else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{self.address}/v1/messages/batches/{batch['id']}/results" if done else None,
        }

    def lines(self, batch: dict[str, Any]) -> list[str]:
        """The results, made and charged once."""
        with self.lock:
            made, batch["lines"] = batch["lines"], batch["lines"] or []
        if made is not None:
            return made
        expired, self.half_expired = self.half_expired, False
        for number, each in enumerate(batch["requests"]):
            batch["lines"].append(
                {"custom_id": each["custom_id"], "result": self.result(each["params"], expired and number % 2)}
            )
        found = [json.dumps(line) for line in batch["lines"]]
        found += found[:3] if self.twice else []
        Random(7).shuffle(found)
        batch["lines"] = found
        return found

    def result(self, body: dict[str, Any], expired: Any) -> dict[str, Any]:
        prompt = body["messages"][-1]["content"]
        with self.lock:
            fault = self.orders(prompt, self.asked[prompt])
            self.asked[prompt] += 1
        if expired:
            return {"type": "expired"}
        if fault in FAULTS:
            _, kind, _ = FAULTS[fault]
            return {
                "type": "errored",
                "error": {"type": "error", "request_id": None, "error": {"type": kind, "message": fault}},
            }
        text, stop, used = said(self, body, fault)
        self.charge(prompt, used, Decimal("0.5"))
        return {"type": "succeeded", "message": message(body, text, stop, used)}


def said(server: Server, body: dict[str, Any], fault: str) -> tuple[str, str, tuple[int, int]]:
    """Text, stop reason and tokens of a reply."""
    prompt = body["messages"][-1]["content"]
    text = server.reply(prompt)
    words = {"wrong schema": '{"score": "high"}', "prose": "I would give this a five.", "refusal": ""}
    text = words.get(fault, text[: len(text) // 2] if fault == "max_tokens" else text)
    stop = {"refusal": "refusal", "max_tokens": "max_tokens"}.get(fault, "end_turn")
    most = body.get("max_tokens") or body.get("max_completion_tokens")
    return text, stop, (len(json.dumps(body)) // 4, min(most, len(text) // 3 + 1))


def message(body: dict[str, Any], text: str, stop: str, used: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": used[0], "output_tokens": used[1]},
    }


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def send(
        self, status: int, content: bytes, headers: dict[str, str] | None = None, promise: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("content-length", str(promise or len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def give(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(content).encode(), headers)

    def fail(self, status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> None:
        self.give({"type": "error", "error": {"type": kind, "message": text}}, status, headers)

    def body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"null")

    def allowed(self) -> bool:
        with self.server.lock:
            self.server.calls += 1
        if self.headers.get("authorization") == f"Bearer {KEY}":
            return True
        self.fail(401, "authentication_error", "invalid key")
        return False

    def do_POST(self) -> None:
        body = self.body()
        if not self.allowed():
            return
        if self.path.endswith("/count_tokens"):
            self.give({"input_tokens": len(json.dumps(body)) // 4})
        elif self.path.endswith("/batches"):
            self.hand_in(body)
        else:
            self.answer(body)

    def hand_in(self, body: Any) -> None:
        with self.server.lock:
            self.server.asked["batch"] += 1
            fault = self.server.orders("batch", self.server.asked["batch"] - 1)
            made = self.server.batch(body["requests"]) if fault not in FAULTS else {}
        if fault in FAULTS:
            status, kind, headers = FAULTS[fault]
            self.fail(status, kind, fault, headers)
        elif fault == "cut":
            self.close_connection = True
        else:
            self.give(self.server.shown(made))

    def do_GET(self) -> None:
        if not self.allowed():
            return
        parts = self.path.partition("?")[0].strip("/").split("/")
        with self.server.lock:
            if self.server.deaf:
                return self.fail(500, "api_error", "500")
            if parts[-1] == "batches":
                shown = [self.server.shown(each) for each in reversed(self.server.batches.values())]
                return self.give({"data": shown, "has_more": False, "first_id": None, "last_id": None})
            batch = self.server.batches[parts[3]]
            batch["looks"] += 1
        if parts[-1] != "results":
            return self.give(self.server.shown(batch))
        content = "\n".join(self.server.lines(batch)) + "\n"
        if self.server.broken_line:
            self.server.broken_line = False
            content = content[: len(content) // 2] + "\n"
        self.send(200, content.encode(), {"content-type": "application/x-jsonl"})
        return None

    def answer(self, body: Any) -> None:
        server, prompt = self.server, body["messages"][-1]["content"]
        with server.lock:
            fault = server.orders(prompt, server.asked[prompt])
            server.asked[prompt] += 1
            server.bodies.append(body)
            server.headers.append(dict(self.headers.items()))
            server.flying += 1
            server.most = max(server.most, server.flying)
        try:
            time.sleep(server.latency)
            self.finish_with(body, prompt, fault)
        finally:
            with server.lock:
                server.flying -= 1

    def finish_with(self, body: Any, prompt: str, fault: str) -> None:
        if fault in FAULTS:
            status, kind, headers = FAULTS[fault]
            wait = {"retry-after": self.server.retry_after} if status == 429 else {}
            return self.fail(status, kind, fault, wait | headers)
        text, stop, used = said(self.server, body, fault)
        self.server.charge(prompt, used)
        if fault == "timeout":
            time.sleep(1.5)
        chat = self.path.endswith("/chat/completions")
        content = json.dumps(completion(body, text, stop, used) if chat else message(body, text, stop, used)).encode()
        left = self.server.remaining
        headers = {} if left is None else {"anthropic-ratelimit-requests-remaining": str(left)}
        if fault == "malformed":
            content = content[: len(content) // 2]
        if fault == "cut":
            self.close_connection = True
            return self.send(200, content[:20], headers, promise=len(content))
        return self.send(200, content, headers)


def completion(body: dict[str, Any], text: str, stop: str, used: tuple[int, int]) -> dict[str, Any]:
    finish = {"max_tokens": "length", "refusal": "content_filter"}.get(stop, "stop")
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)},
    }


@contextmanager
def running() -> Iterator[Server]:
    """The server while the block lasts."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def sometimes(faults: list[str], seed: int = 1) -> Callable[[str, int], str]:
    """Each prompt meets some of the faults on its first tries, by chance of the seed, and then none."""

    def order(prompt: str, before: int) -> str:
        draw = Random(f"{seed} {prompt} {before}")
        return draw.choice(faults) if before < 2 and draw.random() < 0.5 else ""

    return order
