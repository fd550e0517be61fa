import ast
import re
from pathlib import Path

import pytest

from momentarium_cli.backend import db
from momentarium_cli.backend.db.sql import load

FOLDER = Path(db.__file__).parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.sql") if file.stem != "queue_grants")


def used(module: Path) -> set[str]:
    """The names of statements that a module mentions: SQL["name"], _one(conn, "name", …), "name" in a choice."""
    return {
        node.value
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+", node.value)
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_used_and_every_one_used_is_there(name: str) -> None:
    source = FOLDER / f"{name}.py"
    statements = load(name)
    assert set(statements) <= used(source)
    assert set(re.findall(r'SQL\["(\w+)"\]', source.read_text("utf-8"))) <= set(statements)
    assert set(re.findall(r'_one\(\s*conn,\s*"(\w+)"', source.read_text("utf-8"))) <= set(statements)


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_what_it_is_for_and_is_one_statement(name: str) -> None:
    for statement in load(name).values():
        head, _, body = statement.partition("\n")
        assert re.fullmatch(r"-- \w+: \S.*", head)
        assert body.strip() and ";" not in re.sub(r"'[^']*'", "", body)


def test_no_two_statements_of_a_file_have_one_name() -> None:
    for name in NAMES:
        heads = re.findall(r"^-- (\w+):", (FOLDER / f"{name}.sql").read_text("utf-8"), re.MULTILINE)
        assert len(heads) == len(set(heads)) == len(load(name))
