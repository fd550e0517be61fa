"""Imported by the process that forks decoder children, and by nothing else.

multiprocessing would have every child import the program's own main module again. Our tasks never need it, and in a
program without the `if __name__ == "__main__"` guard it would run the whole program in each child. And a child that
is ended on its way up, because all work is done, would tell its traceback to the person at the terminal.
"""

from multiprocessing import spawn
from typing import Any

from momentarium_cli.photos.limits import silence


def _nothing(_: Any) -> None:
    """Leave the main module alone."""


for _name in ("_fixup_main_from_name", "_fixup_main_from_path"):
    if hasattr(spawn, _name):
        setattr(spawn, _name, _nothing)

silence()
