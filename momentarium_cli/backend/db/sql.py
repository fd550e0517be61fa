"""SQL lives in files beside the module that runs it: named statements, each headed by `-- name: comment`."""

import re
from importlib import resources
from typing import LiteralString

_HEAD = re.compile(r"^-- (\w+):", re.MULTILINE)


def load(name: str) -> dict[str, LiteralString]:
    """The statements of db/<name>.sql by their names."""
    text = resources.files("momentarium_cli.backend.db").joinpath(f"{name}.sql").read_text("utf-8")
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {head.group(1): text[head.start() : end].strip() for head, end in zip(heads, ends, strict=True)}
