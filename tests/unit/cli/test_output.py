"""Tables fit the terminal without breaking an id or a heading; one that cannot fit is printed as one block per row."""

import pytest
from rich.table import Table

from handlers.cli import output

SHA = "6ae23c6a4f1bed7ce4ca024cc41f7e5f0eecd144a841fa68c8ba5bcdafe3ab22"
AT = "2026-01-09T11:00:00.000-07:00"
SENTENCE = "Rack 35 wants a lot more power than it has had until now"


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def issues(*rows: tuple[str, ...]) -> Table:
    table = output.table("issue", "status", "summary")
    for row in rows:
        table.add_row(*row)
    return table


def test_sentences_are_wrapped_between_words_and_keys_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(issues(("PLATFORM-123456", "[bold]In Progress[/]", SENTENCE)))

    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines} == {80}
    assert [line.split("│")[3].strip() for line in lines[3:5]] == [
        "Rack 35 wants a lot more power than it has",
        "had until now",
    ]
    assert lines[3].startswith("│ PLATFORM-123456 │ In Progress │ ")


def test_a_table_that_is_too_wide_becomes_one_block_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(issues(("OPS-1", "To Do", SHA), ("OPS-2", "", f"{SENTENCE} {SHA}")), "Commits")

    assert capsys.readouterr().out == (
        f"Commits\nissue    OPS-1\nstatus   To Do\nsummary  {SHA}\n\nissue    OPS-2\nsummary  {SENTENCE}\n         {SHA}\n"
    )


@pytest.mark.parametrize("columns", ["20", "40", "80", "200"])
def test_no_width_breaks_an_id_a_time_or_a_heading(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    table = output.table("first received", "delivery", "reason", numbers=("delivery",))
    table.add_row(AT, SHA, "it is late")

    output.show(table, f"A title longer than narrow terminals: {SHA}")
    output.show_details(SHA, (("first received", AT), ("delivery", SHA), ("nothing", None)))

    printed = capsys.readouterr().out
    assert printed.count(SHA) == 4
    assert printed.count(AT) == 2
    assert printed.count("first received") == 2


def test_notes_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    output.out().print(f"Run record: runs/reconciliation/2026-11-21/{SHA}{SHA}.json")

    assert f"{SHA}{SHA}.json" in capsys.readouterr().out


@pytest.mark.parametrize("columns", [None, "", "0", "00", "-5", "²", "wide", "999999999"])
def test_without_a_terminal_and_a_width_tables_have_160_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str | None
) -> None:
    monkeypatch.setenv("COLUMNS", columns) if columns is not None else monkeypatch.delenv("COLUMNS")

    output.show(issues(("OPS-1", "To Do", SHA)))

    assert f"│ {SHA} │" in capsys.readouterr().out
