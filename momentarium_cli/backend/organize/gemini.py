"""Gemini as the model that looks at contact sheets, through the vendor's SDK; its errors end here."""

import asyncio
import re
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from momentarium_cli.backend.organize.model import Fault, Question, Reply, Unanswered
from momentarium_cli.backend.organize.prices import Usage

if TYPE_CHECKING:
    from google.genai.types import GenerateContentConfig, GenerateContentResponse, PartUnionDict

_API = "v1beta"
_CUT_OFF = "MAX_TOKENS"
_ENDED = "STOP"
_BLOCKED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE"})
_FAULTS = {
    401: Fault.NOT_ALLOWED,
    403: Fault.NOT_ALLOWED,
    404: Fault.NO_MODEL,
    408: Fault.BUSY,
    429: Fault.BUSY,
}
_WRONG_KEY = re.compile(r"API[ _]key", re.IGNORECASE)  # which is a 400
_FREE_TIER = re.compile(r"free_?tier", re.IGNORECASE)  # in the names of quotas, nowhere else is it told
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")
_NOTHING = Usage(0, 0)


class Gemini:
    """`base_url`: of another server that speaks the same; none: GOOGLE_GEMINI_BASE_URL, or the vendor's."""

    def __init__(self, api_key: str, *, base_url: str | None = None) -> None:
        from google import genai  # slow to import
        from google.genai import types

        options = types.HttpOptions(base_url=base_url, api_version=_API)
        self._client = genai.Client(api_key=api_key, vertexai=False, http_options=options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aio.aclose()
        self._client.close()

    async def ask(self, name: str, question: Question, seconds: float, *, flex: bool = False) -> Reply:
        """A deadline for the whole: the SDK's own is for each read."""
        from google.genai.errors import APIError
        from httpx2 import HTTPError

        try:
            async with asyncio.timeout(seconds):
                response = await self._client.aio.models.generate_content(
                    model=name, contents=_contents(question), config=_config(question, flex=flex)
                )
        except TimeoutError as error:
            raise Unanswered(Fault.LATE) from error
        except APIError as error:
            raise _refused(error) from error
        except HTTPError as error:
            raise Unanswered(Fault.UNREACHABLE) from error
        except Exception as error:  # the SDK reads whatever came as if it had the vendor's shape
            raise Unanswered(Fault.UNUSABLE) from error
        return _reply(response)


def _contents(question: Question) -> "list[PartUnionDict]":
    from google.genai.types import Part

    return [
        Part.from_text(text=part) if isinstance(part, str) else Part.from_bytes(data=part, mime_type="image/jpeg")
        for part in question.parts
    ]


def _config(question: Question, *, flex: bool) -> "GenerateContentConfig":
    from google.genai import types

    return types.GenerateContentConfig(
        system_instruction=question.instructions,
        response_mime_type="application/json",
        response_schema=question.answer,
        media_resolution=types.MediaResolution.MEDIA_RESOLUTION_MEDIUM,
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL),
        temperature=0,
        seed=7,
        max_output_tokens=question.max_output_tokens,
        service_tier=types.ServiceTier.FLEX if flex else None,
    )


def _reply(response: "GenerateContentResponse") -> Reply:
    """Only an answer that ended by itself counts; the others raise nothing in the SDK."""
    usage = _usage(response)
    if not response.candidates:
        blocked = response.prompt_feedback is not None and response.prompt_feedback.block_reason is not None
        raise Unanswered(Fault.BLOCKED if blocked else Fault.UNUSABLE, usage=usage)
    candidate = response.candidates[0]
    reason = str(candidate.finish_reason.value) if candidate.finish_reason else ""
    if reason != _ENDED:
        raise Unanswered(_unfinished(reason), usage=usage)
    parts = (candidate.content.parts if candidate.content else None) or []
    text = "".join(part.text or "" for part in parts if not part.thought)
    if not text.strip():
        raise Unanswered(Fault.UNUSABLE, usage=usage)
    return Reply(text, usage)


def _unfinished(reason: str) -> Fault:
    if reason == _CUT_OFF:
        return Fault.TRUNCATED
    return Fault.BLOCKED if reason in _BLOCKED else Fault.UNUSABLE


def _usage(response: "GenerateContentResponse") -> Usage | None:
    told = response.usage_metadata
    if told is None or told.prompt_token_count is None:
        return None
    return Usage(told.prompt_token_count, (told.candidates_token_count or 0) + (told.thoughts_token_count or 0))


def _refused(error: Any) -> Unanswered:
    """Of an error that the vendor answered, which costs nothing."""
    code = int(error.code or 0)
    if code == 400 and _WRONG_KEY.search(error.message or ""):
        return Unanswered(Fault.NOT_ALLOWED, usage=_NOTHING)
    fault = _FAULTS.get(code, Fault.BUSY if code >= 500 else Fault.REJECTED)
    if code == 429 and _FREE_TIER.search(f"{error.message} {error.details}"):
        fault = Fault.FREE_TIER
    return Unanswered(fault, retry_after=_delay(error.details), usage=_NOTHING)


def _delay(body: Any) -> float | None:
    """What google.rpc.RetryInfo asks for, in seconds."""
    with suppress(LookupError, TypeError, AttributeError):
        for detail in body["error"]["details"]:
            if match := _DELAY.fullmatch(str(detail.get("retryDelay", ""))):
                return float(match[1])
    return None
