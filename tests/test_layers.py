"""Who may import whom: the rules of the house, read from the source."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import momentarium_cli

PACKAGE = Path(momentarium_cli.__file__).parent
COMMON = {"models", "errors", "config", "logs", "rendezvous", "wire"}
ADAPTERS = {
    "LocalStorage",
    "PostgresQueue",
    "QStashQueue",
    "LocalOrganizer",
    "EmbeddedPostgres",
    "AIOrganizer",
    "Gemini",
    "OpenAI",
}


def modules() -> dict[str, Path]:
    """Every module by its name without the package's: `backend.db.pool`."""
    return {
        ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): file
        for file in PACKAGE.rglob("*.py")
    }


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every import anywhere in a file; the name is "" where the module itself is imported."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield from ((node.module or "", alias.name) for alias in node.names)


IMPORTS = {name: list(imported(file)) for name, file in modules().items()}


def ours(name: str) -> set[str]:
    """The modules of ours that a module imports."""
    found = set()
    for module, item in IMPORTS[name]:
        if module == "momentarium_cli" or module.startswith("momentarium_cli."):
            inside = module.removeprefix("momentarium_cli").removeprefix(".")
            whole = f"{inside}.{item}".strip(".")
            found.add(whole if whole in IMPORTS else inside)
    return found


def vendors(name: str) -> set[str]:
    return {module.split(".")[0] for module, _ in IMPORTS[name]}


def within(*rooms: str) -> Callable[[str], bool]:
    return lambda name: any(name == room or name.startswith(f"{room}.") for room in rooms)


def test_the_package_is_found() -> None:
    assert len(IMPORTS) > 60 and "backend.db.pool" in ours("backend.jobs")


@pytest.mark.parametrize("name", sorted(COMMON))
def test_what_everyone_may_import_imports_nothing_of_ours_but_errors(name: str) -> None:
    assert ours(name) <= {"errors"}


@pytest.mark.parametrize(
    ("room", "may"),
    [
        ("photos", ("photos",)),
        ("client", ("client", "photos")),
        ("backend", ("backend", "photos")),
        ("deploy", ("deploy",)),
        ("cli", ("cli", "client", "photos", "backend", "deploy")),
        ("backend.api", ("backend", "photos")),
        ("backend.db", ("backend.db", "photos")),
        ("backend.storage", ("backend.storage", "backend.signing", "photos")),
        ("backend.organize", ("backend.organize", "photos")),
        ("backend.queues", ("backend.queues", "backend.db", "backend.once")),
    ],
)
def test_imports_point_one_way(room: str, may: tuple[str, ...]) -> None:
    inside, allowed = within(room), within(*may)
    for name in filter(inside, IMPORTS):
        wrong = {found for found in ours(name) - COMMON - {""} if not allowed(found)}
        assert not wrong, f"{name} imports {wrong}"


def test_what_the_backend_can_do_knows_neither_http_nor_server() -> None:
    outer = within("backend.api", "backend.server", "backend.wiring", "backend.doctor")
    for name in filter(within("backend"), IMPORTS):
        if not outer(name):
            assert not {found for found in ours(name) if outer(found)}, name


def test_of_the_commands_only_those_that_run_a_backend_import_it() -> None:
    allowed = {"cli.serve", "cli.users", "cli.doctor", "cli.storage", "cli.settings"}
    importers = {name for name in filter(within("cli"), IMPORTS) if any(map(within("backend"), ours(name)))}
    assert importers <= allowed


@pytest.mark.parametrize(
    ("vendor", "rooms"),
    [
        ("httpx", ("client.transport", "backend.queues.qstash_account", "backend.qstash_doctor")),
        ("psycopg", ("backend.db",)),
        ("psycopg_pool", ("backend.db.pool",)),
        ("procrastinate", ("backend.queues", "backend.db.migrate")),
        ("qstash", ("backend.queues",)),
        ("fastapi", ("backend.api",)),
        ("starlette", ("backend.api",)),
        ("uvicorn", ("backend.server",)),
        ("typer", ("cli",)),
        ("rich", ("cli",)),
        ("watchfiles", ("client.changes",)),
        ("prometheus_client", ("cli.metrics",)),
        ("pebble", ("photos",)),
        ("onnx", ("photos.lite0",)),
        ("onnxruntime", ("photos.vision",)),
        ("google", ("backend.organize.gemini",)),
        ("openai", ("backend.organize.openai",)),
        ("httpx2", ("backend.organize.gemini",)),
        ("PIL", ("photos", "backend.doctor", "backend.ai_doctor")),
        ("pathspec", ("photos.patterns",)),
    ],
)
def test_a_vendor_stays_in_one_room(vendor: str, rooms: tuple[str, ...]) -> None:
    users = {name for name in IMPORTS if vendor in vendors(name)}
    assert users, f"nobody uses {vendor}"
    assert not {name for name in users if not within(*rooms)(name)}


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_adapters_are_opened_in_the_composition_root(adapter: str) -> None:
    importers = {name for name, found in IMPORTS.items() if any(item == adapter for _, item in found)}
    assert importers
    assert importers <= {"backend.wiring", "backend.server", "backend.doctor"}
