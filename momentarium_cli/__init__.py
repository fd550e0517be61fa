"""Momentarium organizes photos in bulk: uploads them safely and groups them into titled albums.

The SDK's names are loaded when first used, so that the command starts fast.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from momentarium_cli.client.sdk import Momentarium
    from momentarium_cli.errors import MomentariumError

_PUBLIC = {
    "Momentarium": "momentarium_cli.client.sdk",
    "MomentariumError": "momentarium_cli.errors",
}

__all__ = ["Momentarium", "MomentariumError", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)
