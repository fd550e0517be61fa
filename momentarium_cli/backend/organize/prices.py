"""What a request costs, before it is made and after. Dollars a million tokens, as of November 2026; where the vendor
has announced a higher price, that one."""

from dataclasses import dataclass

SHEET_TOKENS = 560  # an image at medium resolution, whatever its size in pixels
EVENT_TOKENS = 120  # of an answer; a title and a sentence
CHARACTERS_A_TOKEN = 3  # fewer than there are, so that the expected cost is no less than the real one
FLEX = 0.5  # of the price, for answers that may take minutes

# Input, output.
PRICES = {
    "gemini-3.1-flash-lite": (0.25, 1.50),
    "gemini-3.5-flash-lite": (0.30, 2.50),
    "gemini-3.5-flash": (1.50, 9.00),
    "gemini-3.8-flash": (1.50, 7.50),
    "gemini-3.1-pro-preview": (4.00, 18.00),
}
_UNKNOWN = (4.00, 18.00)  # the dearest: a limit must hold for models that nobody knew yet


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request and of its answer, thoughts included."""

    input_tokens: int
    output_tokens: int


def expected(sheets: int, characters: int, output_tokens: int) -> Usage:
    """Of a request with so many sheets and so much text."""
    return Usage(SHEET_TOKENS * sheets + characters // CHARACTERS_A_TOKEN, output_tokens)


def cost(model: str, usage: Usage, *, flex: bool = False) -> float:
    """In dollars."""
    before, after = PRICES.get(model, _UNKNOWN)
    return (before * usage.input_tokens + after * usage.output_tokens) / 1_000_000 * (FLEX if flex else 1)
