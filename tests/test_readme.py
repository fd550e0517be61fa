"""What the README says is what the program does."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import typer

from momentarium_cli import config, errors
from momentarium_cli.cli import app as commands

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def block(name: str) -> str:
    match = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", README, re.DOTALL)
    assert match is not None, f"the README has no block {name}"
    return match.group(1)


def rows(name: str) -> list[list[str]]:
    lines = block(name).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def every_command(group: typer.Typer, prefix: str = "momentarium") -> Iterator[tuple[str, str]]:
    for command in group.registered_commands:
        assert command.callback is not None
        doc = (command.callback.__doc__ or "").strip().split("\n\n")[0]
        yield f"{prefix} {command.name or command.callback.__name__}", re.sub(r"\s+", " ", doc)
    for nested in group.registered_groups:
        assert nested.typer_instance is not None
        yield from every_command(nested.typer_instance, f"{prefix} {nested.name}")


def first_sentence(text: str) -> str:
    return re.split(r"(?<=\.) ", text)[0]


def test_every_command_is_in_the_readme_with_its_own_words() -> None:
    commands.register()
    real = {f"`{name}`": first_sentence(doc) for name, doc in every_command(commands.app)}
    assert {name: text for name, text in rows("commands")} == real


def test_every_setting_is_in_the_readme() -> None:
    told = [(row[0].strip("`"), row[1].strip("`"), row[2], row[3]) for row in rows("settings")]
    real = [
        (item.key, item.environment, "none" if item.default is None else str(item.default), item.help)
        for item in config.definitions()
    ]
    assert told == real


def test_every_exit_code_is_in_the_readme() -> None:
    told = {int(code) for row in rows("exit-codes") for code in row[0].split(", ")}

    def family(cls: type[errors.MomentariumError]) -> Iterator[type[errors.MomentariumError]]:
        yield cls
        for child in cls.__subclasses__():
            yield from family(child)

    real = {cls.exit_code for cls in family(errors.MomentariumError)} | {0, 3, 7, 129, 143}
    assert told == real


def test_the_example_settings_load_and_are_the_defaults(tmp_path: Path) -> None:
    settings = config.load(file=ROOT / "config.example.toml", environment={})
    assert settings.server == config.load(file=empty(tmp_path), environment={}).server
    assert settings.organizer.backend == "local"


def test_the_example_settings_name_every_setting_and_load_with_all_of_them(tmp_path: Path) -> None:
    text = (ROOT / "config.example.toml").read_text("utf-8")
    everything = re.sub(r"^# (?=[\w-]+ = |\[)", "", text, flags=re.MULTILINE)
    document = tomllib.loads(everything)
    named = {f"{section}.{key}" for section, table in document.items() if isinstance(table, dict) for key in table}
    assert {item.key for item in config.definitions()} <= named | document.keys()
    assert all(item.environment in text for item in config.definitions())
    file = tmp_path / "all.toml"
    for one_of_two in (r'^url = "file:.*$', r"^\[storage\.buckets\].*(\n.+)*"):
        without, cut = re.subn(one_of_two, "", everything, flags=re.MULTILINE)
        file.write_text(without, "utf-8")
        config.load(file=file, profile="work", environment={})
        assert cut == 1


def empty(folder: Path) -> Path:
    file = folder / "empty.toml"
    file.touch()
    return file
