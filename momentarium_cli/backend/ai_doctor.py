"""What leaves the machine for a model, under which terms; and whether the model answers, and sees."""

import asyncio
import json
import time
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from momentarium_cli.backend.addresses import is_inside
from momentarium_cli.backend.findings import Advice, Finding, found
from momentarium_cli.backend.organize.asking import Connect
from momentarium_cli.backend.organize.model import Fault, Question, Reply, Unanswered
from momentarium_cli.backend.organize.openai import check_installed
from momentarium_cli.backend.organize.prices import cost
from momentarium_cli.backend.organize.tasks import Policy
from momentarium_cli.config import Organizer
from momentarium_cli.errors import MomentariumError, SettingsError, Temporary

_LIVE_SECONDS = 120.0  # a model of one's own may have to be loaded first
_FREE_TIER = (
    "Of a key of the free tier Google may use what it gets, and people may read it. That cannot be seen from here:"
    ' https://aistudio.google.com/api-keys shows the tier of each key. Where it says "Free tier", set up billing there'
)
_REMEDIES = {
    Fault.NOT_ALLOWED: "Check the key.",
    Fault.NO_MODEL: "Check the name of the model, and the address.",
    Fault.UNREACHABLE: "Is it running, and is the address right?",
}


class Seen(BaseModel):
    colour: Literal["red", "green", "blue", "none"]


def examine_model(settings: Organizer, connect: Connect, policy: Policy, *, live: bool) -> Iterator[Finding]:
    """`live`: have it look at a picture of one colour."""
    terms = found("organizer", partial(_terms, settings, policy))
    yield terms
    if live and terms.ok:
        yield found("model", partial(_sees, connect, policy))


def _terms(settings: Organizer, policy: Policy) -> str:
    if settings.backend == "openai":
        check_installed()
    models = " and ".join(policy.models)
    if settings.backend == "gemini":
        return Advice(f"Gemini is asked ({models}), for ${settings.max_cost:.2f} a month at most. {_FREE_TIER}")
    url = settings.openai_base_url or "https://api.openai.com/v1"
    parts = urlsplit(url)
    if policy.free:
        return f"{url} is asked ({models}), which is on this machine or network, and costs nothing"
    if parts.scheme != "https" and not is_inside(parts.hostname or ""):
        return Advice(f"on its way to {url} anybody can see the pictures: have HTTPS there")
    return f"{url} is asked ({models}), for ${settings.max_cost:.2f} a month at most, at the dearest prices known"


def _sees(connect: Connect, policy: Policy) -> str:
    name, began = policy.models[0], time.monotonic()
    try:
        reply = asyncio.run(_asked(connect, name))
    except Unanswered as error:
        if error.fault is Fault.FREE_TIER:
            return Advice(f"{name}: {error}. Set up billing at https://aistudio.google.com/api-keys")
        raise _broken(name, error.fault) from error
    took = time.monotonic() - began
    price = "nothing" if policy.free else f"${cost(name, reply.usage):.5f}" if reply.usage else "an unknown amount"
    try:
        colour = Seen.model_validate(json.loads(reply.text)).colour
    except (ValueError, ValidationError):
        return Advice(f"{name} answers, but not in the JSON it was asked for: it will not be of much use")
    if colour != "red":
        return Advice(f"{name} takes a red picture for {colour}: is it a model that sees pictures?")
    return f"{name} saw a picture and answered within {took:.1f} s, for {price}"


async def _asked(connect: Connect, name: str) -> Reply:
    instructions = "Say which colour the picture has: red, green or blue; none if you see no picture."
    async with connect() as model:
        return await model.ask(name, Question(instructions, ['{"picture": 1}', _red()], Seen, 100), _LIVE_SECONDS)


def _red() -> bytes:
    from PIL import Image

    picture = BytesIO()
    Image.new("RGB", (256, 256), "red").save(picture, "JPEG")
    return picture.getvalue()


def _broken(name: str, fault: Fault) -> MomentariumError:
    error = SettingsError if fault in (Fault.NOT_ALLOWED, Fault.NO_MODEL, Fault.REJECTED) else Temporary
    return error(f"{name}: {fault.value}.", hint=_REMEDIES.get(fault))
