"""What a check of `momentarium doctor` finds."""

from collections.abc import Callable
from dataclasses import dataclass

from momentarium_cli.errors import MomentariumError, SettingsError

PROBE_USER = 2**63 - 1  # no user has this id


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok` unless something is broken; `advice` where nothing is, but something could be better."""

    check: str
    ok: bool
    text: str
    exit_code: int = 0
    advice: bool = False

    @classmethod
    def of_error(cls, check: str, error: MomentariumError) -> "Finding":
        return cls(check, False, str(error), error.exit_code)


class Advice(str):
    """What a check says that found nothing broken, but something to do."""

    __slots__ = ()


def found(check: str, look: Callable[[], str]) -> Finding:
    """What a check ends with: a text where all is well, Advice, or an error of ours or the system's."""
    try:
        text = look()
    except MomentariumError as error:
        return Finding.of_error(check, error)
    except OSError as error:
        return Finding(check, False, f"{error}.", SettingsError.exit_code)
    return Finding(check, True, text, advice=isinstance(text, Advice))
