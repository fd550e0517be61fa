"""Any server that speaks OpenAI's chat completions (Ollama, vLLM, LM Studio, …), through the vendor's SDK; its errors
end here.

Servers take different parts of the protocol: what one refuses is left out from then on. Where it takes no JSON schema,
the shape of the answer is told in words, and the JSON is looked for in what it says.
"""

import asyncio
import json
import re
from base64 import b64encode
from contextlib import suppress
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from momentarium_cli.backend.organize.model import Fault, Question, Reply, Unanswered
from momentarium_cli.backend.organize.prices import Usage
from momentarium_cli.errors import SettingsError

if TYPE_CHECKING:
    from openai import APIStatusError
    from openai.types.chat import ChatCompletion

_ENDS = {"length": Fault.TRUNCATED, "content_filter": Fault.BLOCKED}
_FAULTS = {
    401: Fault.NOT_ALLOWED,
    403: Fault.NOT_ALLOWED,
    404: Fault.NO_MODEL,
    408: Fault.BUSY,
    429: Fault.BUSY,
}
_REFUSED = (400, 415, 422, 501)
_OPTIONAL = ("max_tokens", "temperature", "seed", "response_format")  # the last is what servers without names mean
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_NO_KEY = "none"  # the SDK wants one where the server does not
_NOTHING = Usage(0, 0)


class OpenAI:
    """`base_url` ends in /v1 as a rule; None: the vendor's own. `own`: it is on this machine or network, where no proxy
    leads.

    SettingsError: the SDK is not installed.
    """

    def __init__(self, api_key: str | None, *, base_url: str | None = None, own: bool = False) -> None:
        check_installed()
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient  # slow to import

        self._client = AsyncOpenAI(
            api_key=api_key or _NO_KEY,
            base_url=base_url,
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(trust_env=not own),
        )
        self._refused: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.close()

    async def ask(self, name: str, question: Question, seconds: float, *, flex: bool = False) -> Reply:  # noqa: ARG002 -- only one vendor has it
        """A deadline for the whole, with what is asked again because the server takes less than was thought."""
        from openai import APIConnectionError, APIStatusError

        try:
            async with asyncio.timeout(seconds):
                return _reply(await self._answered(name, question))
        except TimeoutError as error:
            raise Unanswered(Fault.LATE) from error
        except APIStatusError as error:
            raise _unanswered(error) from error
        except APIConnectionError as error:
            raise Unanswered(Fault.UNREACHABLE, usage=_NOTHING) from error
        except Unanswered:
            raise
        except Exception as error:  # the SDK reads whatever came as if it had the right shape
            raise Unanswered(Fault.UNUSABLE) from error

    async def _answered(self, name: str, question: Question) -> "ChatCompletion":
        from openai import APIStatusError

        while True:
            try:
                answer: ChatCompletion = await self._client.chat.completions.create(**self._request(name, question))
            except APIStatusError as error:
                wrong = self._wrong_with(error)
                if wrong is None:
                    raise
                self._refused.add(wrong)
            else:
                return answer

    def _wrong_with(self, error: "APIStatusError") -> str | None:
        """What the server does not take, if that may be why it refused; it may be told in words only, or not at all."""
        if error.status_code not in _REFUSED:
            return None
        left = [option for option in _OPTIONAL if option not in self._refused]
        named = [option for option in left if option in str(error)]
        return next(iter(named), left[-1] if left and left[-1] == "response_format" else None)

    def _request(self, name: str, question: Question) -> dict[str, Any]:
        options: dict[str, Any] = {
            "max_tokens": question.max_output_tokens,
            "temperature": 0,
            "seed": 7,
            "response_format": _format(question.answer),
        }
        taken = {option: value for option, value in options.items() if option not in self._refused}
        if "max_tokens" in self._refused:
            taken["max_completion_tokens"] = question.max_output_tokens
        words = question.instructions
        if "response_format" in self._refused:
            words += f"\nAnswer with JSON alone, of this JSON schema: {json.dumps(_schema(question.answer))}"
        messages = [
            {"role": "system", "content": words},
            {"role": "user", "content": [_part(part) for part in question.parts]},
        ]
        return {"model": name, "messages": messages, **taken}


def check_installed() -> None:
    """SettingsError: it is not."""
    if find_spec("openai") is None:
        raise SettingsError(
            "organizer.backend is openai, and the package of that name is not installed.",
            hint="`pip install 'momentarium[openai]'` installs it.",
        )


def _part(part: str | bytes) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{b64encode(part).decode()}"}}


def _format(answer: type[BaseModel]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": _schema(answer)}}


def _schema(answer: type[BaseModel]) -> dict[str, Any]:
    """As the vendor's strict mode wants it: closed objects."""
    schema = answer.model_json_schema()
    for shape in (schema, *schema.get("$defs", {}).values()):
        shape["additionalProperties"] = False
    return schema


def _reply(response: "ChatCompletion") -> Reply:
    """Only an answer that ended by itself counts."""
    told = response.usage
    usage = Usage(told.prompt_tokens, told.completion_tokens) if told else None
    [choice, *_] = response.choices
    if choice.finish_reason != "stop":
        raise Unanswered(_ENDS.get(choice.finish_reason, Fault.UNUSABLE), usage=usage)
    if choice.message.refusal:
        raise Unanswered(Fault.BLOCKED, usage=usage)
    text = json_in(choice.message.content or "")
    if not text:
        raise Unanswered(Fault.UNUSABLE, usage=usage)
    return Reply(text, usage)


def json_in(text: str) -> str:
    """The JSON object in what a model says: without its thoughts, without fences and words around it; "" if there is
    none."""
    said = _THOUGHTS.sub("", text)
    begin, end = said.find("{"), said.rfind("}")
    return said[begin : end + 1] if 0 <= begin < end else ""


def _unanswered(error: "APIStatusError") -> Unanswered:
    """Of an error that the server answered, which costs nothing."""
    code = error.status_code
    fault = _FAULTS.get(code, Fault.BUSY if code >= 500 else Fault.REJECTED)
    return Unanswered(fault, retry_after=_delay(error), usage=_NOTHING)


def _delay(error: "APIStatusError") -> float | None:
    """Seconds; a date is not read."""
    with suppress(KeyError, ValueError):
        return max(0.0, float(error.response.headers["retry-after"]))
    return None
