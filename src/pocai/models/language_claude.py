"""Claude behind Anthropic's Messages API: one request a page, answered by calling a tool with the schema's JSON."""

from __future__ import annotations

import json
from typing import Any

from pocai.models.language_answer import schema
from pocai.models.language_exchange import AskingWriter, Reply, failed, post
from pocai.models.language_page import NumberedPage
from pocai.models.language_prompt import told

CLAUDE = "https://api.anthropic.com"
_VERSION = "2023-06-01"  # of the API; the one that its documentation names
_PATH, _TOOL = "/v1/messages", "timetables"
_READ = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class ClaudeWriter(AskingWriter):
    """Writes answers by asking Claude; ``endpoint.url`` is what stands before ``/v1/messages``."""

    def ask(self, page: NumberedPage) -> Reply:
        """What comes back for a page, cut off or not. Raises ModelError where that is no message."""
        key = self.endpoint.key
        headers = {"anthropic-version": _VERSION} | ({} if key is None else {"x-api-key": key.get_secret_value()})
        reply = post(self.endpoint, _PATH, headers, self.request(page))
        try:
            calls = [part["input"] for part in reply["content"] if part["type"] == "tool_use"]
            finished = reply.get("stop_reason") != "max_tokens"
            text = json.dumps(calls[0], ensure_ascii=False) if calls else ""
            return Reply(text, finished, *_counts(reply.get("usage") or {}))
        except (LookupError, TypeError, AttributeError):
            raise failed("answered no message", "Check that the address is that of the Messages API") from None

    def request(self, page: NumberedPage) -> bytes:
        """The body of the request for a page."""
        tool = {"name": _TOOL, "description": "Takes the timetables of the page.", "input_schema": schema()}
        body = {
            "model": self.endpoint.model,
            "max_tokens": self.endpoint.most_tokens,
            "messages": [{"role": "user", "content": told(page)}],
            "tools": [tool],
            "tool_choice": {"type": "tool", "name": _TOOL},
        }
        return json.dumps(body, ensure_ascii=False).encode()


def _counts(usage: Any) -> tuple[int | None, int | None]:
    """The tokens that were read, those of a cache among them, and written, as far as they are told."""
    read = [count for name in _READ if isinstance(count := usage.get(name), int) and count >= 0]
    written = usage.get("output_tokens")
    return (sum(read) if read else None), (written if isinstance(written, int) and written >= 0 else None)
