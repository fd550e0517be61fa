"""What a library costs with Gemini: the bill of 1,000 photos in 40 events, over all passes, beside one image each.

    python -m tests.benchmarks.organize_cost

Gemini is a server on this machine that counts tokens as the vendor documents: 560 an image at medium resolution, 1,120
at the default one, a quarter of the characters of a text. Output is counted at 120 tokens an event, or as it was,
whichever is more. It calls every event mixed, so that as many are looked at closer as ever are. The sheets are made of
thumbnails of noise, which are as slow to decode as any.
"""

import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO

from PIL import Image

from momentarium_cli.backend.organize.ai import AIOrganizer
from momentarium_cli.backend.organize.base import Photo
from momentarium_cli.backend.organize.gemini import Gemini
from momentarium_cli.backend.organize.local import LocalOrganizer
from momentarium_cli.backend.organize.prices import EVENT_TOKENS, PRICES, Usage, cost
from momentarium_cli.backend.organize.sheets import Sheets, representatives
from momentarium_cli.backend.organize.tasks import Policy
from momentarium_cli.photos.decode import Decoder
from tests.backend.organize.notebook import Notebook, Unwatched
from tests.backend.organize.photos import LISBON, burst
from tests.gemini import KEY, running_gemini, titled

EVENTS, PHOTOS = 40, 25  # of each event
MODEL = "gemini-3.5-flash-lite"
MOST_REQUESTS, MOST_DOLLARS, MOST_SECONDS = 12, 0.03, 0.015  # the last one a photo of a sheet
ONE_BY_ONE = Usage(EVENTS * PHOTOS * (1120 + 16), EVENTS * PHOTOS * 7)  # an image and a line each; ids in the answer


def library() -> list[Photo]:
    first = datetime(2024, 1, 6, 10)
    begins = [first + timedelta(weeks=2 * index) for index in range(EVENTS)]
    taken = [one for begin in begins for one in burst(begin.isoformat(), PHOTOS, LISBON, minutes=10)]
    return [replace(one, thumb_key=f"thumbs/1/{one.id}.jpg") for one in taken]


def thumbnail() -> bytes:
    buffer = BytesIO()
    Image.effect_noise((320, 240), 60).convert("RGB").save(buffer, "JPEG", quality=78)
    return buffer.getvalue()


def main() -> int:
    photos, picture = library(), thumbnail()
    policy = Policy((MODEL,), "en")
    with running_gemini() as server, Decoder() as decoder:
        sheets = Sheets(decoder, lambda photo: picture)
        a_photo = _seconds_a_photo(sheets, photos[:PHOTOS])
        connect = partial(Gemini, KEY, base_url=server.url)
        server.decide = lambda event: {**titled(event["event"]), "kind": "mixed"}
        organizer = AIOrganizer("gemini", LocalOrganizer(), connect, sheets, Notebook(), policy, Unwatched())
        began = time.perf_counter()
        organizer.organize(photos, [])
        took = time.perf_counter() - began
        sent = sum(len(sheet) for asked in server.asked for sheet in asked.sheets)
        passes = {task: server.of(task) for task in ("names", "closer", "relations")}
    report = organizer.report
    output = max(report["output_tokens"], EVENT_TOKENS * EVENTS)
    dollars = cost(MODEL, Usage(report["input_tokens"], output))
    before, after = PRICES[MODEL]
    print(f"{len(photos):,} photos in {EVENTS} events, {MODEL} at ${before:.2f} and ${after:.2f} a million tokens")
    print(f"  requests        {report['requests']:>10,}      at most {MOST_REQUESTS}")
    for task, asked in passes.items():
        print(f"    {task:<13} {len(asked):>10,}      with {sum(len(one.sheets) for one in asked)} sheets")
    print(f"  sheets sent     {sent / 1e6:>10.1f} MB")
    print(f"  input tokens    {report['input_tokens']:>10,}")
    print(f"  output tokens   {output:>10,}      as it was: {report['output_tokens']:,}")
    print(f"  bill            {dollars:>10.4f} $    at most {MOST_DOLLARS:.2f}; expected {report['expected_cost']:.4f}")
    print(f"  with flex       {dollars / 2:>10.4f} $")
    print(f"  one image each  {cost(MODEL, ONE_BY_ONE):>10.4f} $")
    print(f"  a photo's cell  {1000 * a_photo:>10.1f} ms   at most {1000 * MOST_SECONDS:.0f}")
    print(f"  the whole run   {took:>10.1f} s    without the model's thinking")
    good = report["requests"] <= MOST_REQUESTS and dollars <= MOST_DOLLARS and a_photo <= MOST_SECONDS
    return 0 if good and report["reason"] is None else 1


def _seconds_a_photo(sheets: Sheets, photos: list[Photo]) -> float:
    """Of a sheet, through a child process; the best of five."""
    shown = representatives(photos)
    times = []
    for _ in range(6):  # the first starts the child
        began = time.perf_counter()
        sheets.of(shown)
        times.append(time.perf_counter() - began)
    return min(times[1:]) / len(shown)


if __name__ == "__main__":
    sys.exit(main())
