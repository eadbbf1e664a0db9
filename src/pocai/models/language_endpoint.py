"""A language model behind an OpenAI-compatible endpoint (vLLM, Ollama, a hosted one): one request a page."""

from __future__ import annotations

import json
from typing import Any

from pocai.models.language_answer import schema
from pocai.models.language_exchange import AskingWriter, Reply, failed, post
from pocai.models.language_page import NumberedPage
from pocai.models.language_prompt import told

_PATH = "/chat/completions"


class EndpointWriter(AskingWriter):
    """Writes answers by asking an endpoint, with the schema of an answer as ``response_format``."""

    def ask(self, page: NumberedPage) -> Reply:
        """What comes back for a page, cut off or not. Raises ModelError where that is no chat completion."""
        key = self.endpoint.key
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        reply = post(self.endpoint, _PATH, headers, self.request(page))
        try:
            choice, usage = reply["choices"][0], reply.get("usage") or {}
            text, finished = choice["message"]["content"], choice.get("finish_reason") != "length"
            return Reply(text if isinstance(text, str) else "", finished, *_counts(usage))
        except (LookupError, TypeError, AttributeError):
            raise failed("answered no chat completion", "Check that the address is OpenAI-compatible") from None

    def request(self, page: NumberedPage) -> bytes:
        """The body of the request for a page."""
        form = {"type": "json_schema", "json_schema": {"name": "timetables", "strict": True, "schema": schema()}}
        body = {
            "model": self.endpoint.model,
            "messages": [{"role": "user", "content": told(page)}],
            "temperature": 0,
            "seed": 0,
            "max_tokens": self.endpoint.most_tokens,
            "response_format": form,
        }
        return json.dumps(body, ensure_ascii=False).encode()


def _counts(usage: Any) -> tuple[int | None, int | None]:
    """The tokens that were read and written, as far as they are told."""
    found = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    read, written = (count if isinstance(count, int) and count >= 0 else None for count in found)
    return read, written
