"""``shuttle config``: settings of the app."""

from collections.abc import Iterable, Mapping

import click

from handlers.cli import output
from handlers.cli.deployment import shuttle_table
from handlers.cli.options import CONFIG_NAME, Find, json_option
from lib.platform import clock
from lib.shuttle import api_json
from lib.shuttle.entities import AppConfig
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository


@click.group()
def config() -> None:
    """Show and change settings of the app.

    They are not secrets. The app reads them by GET /shuttle/config/NAME.
    """


@config.command("list")
@json_option
@click.pass_obj
def list_configs(find: Find, as_json: bool) -> int:
    """List all settings, by name."""
    return _show_configs(Repository(*shuttle_table(find())).app_configs(), as_json)


@config.command("get")
@click.argument("name", type=CONFIG_NAME, metavar="NAME")
@json_option
@click.pass_obj
def get_config(find: Find, name: str, as_json: bool) -> int:
    """Show the settings called NAME."""
    return _show_configs([Repository(*shuttle_table(find())).app_config(name)], as_json)


@config.command("set")
@click.argument("name", type=CONFIG_NAME, metavar="NAME")
@click.argument("settings", nargs=-1, required=True, metavar="SETTING=VALUE...")
@click.pass_obj
def set_config(find: Find, name: str, settings: tuple[str, ...]) -> int:
    """Set settings of NAME; its other settings stay."""
    pairs = [setting.partition("=") for setting in settings]
    if not all(setting and separator for setting, separator, _ in pairs):
        raise click.UsageError("Write each setting as SETTING=VALUE.")
    return _change_config(find, name, {setting: value for setting, _, value in pairs})


@config.command("unset")
@click.argument("name", type=CONFIG_NAME, metavar="NAME")
@click.argument("settings", nargs=-1, required=True, metavar="SETTING...")
@click.pass_obj
def unset_config(find: Find, name: str, settings: tuple[str, ...]) -> int:
    """Remove settings of NAME; its other settings stay."""
    return _change_config(find, name, dict.fromkeys(settings))


def _change_config(find: Find, name: str, changes: Mapping[str, str | None]) -> int:
    changed = Registry(*shuttle_table(find())).change_app_config(name, changes)
    return _show_configs([changed] if changed else [], as_json=False)


def _show_configs(found: Iterable[AppConfig], as_json: bool) -> int:
    if as_json:
        for each in found:
            output.print_json(api_json.to_json(each))
        return 0
    settings = ((each, setting, value) for each in found for setting, value in sorted(each.values.items()))
    return output.show_list(
        settings,
        "setting",
        ("name", "setting", "value", "changed"),
        lambda row: (row[0].name, row[1], row[2], clock.phoenix(row[0].updated_at)),
        lambda row: api_json.to_json(row[0]),
        as_json=False,
    )
