"""The command line as a user meets it: files in, weeks and files out, exit codes, messages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path, PurePath
from typing import Any

import pytest
from rich.console import Console

import pocai
from pocai.cli import main
from pocai.cli.saving import Artefact, Saver
from pocai.cli.sources import Source, find_sources
from pocai.cli.week import overlapping, week
from pocai.errors import InputError
from pocai.timetable.timetable import Day, TimeBlock, Timetable

HEAD = ("", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
ROWS = (
    ("9.00-10.00", "Maths", "English", "Maths", "Art", "PE"),
    ("10.00-10.15", "Break", "Break", "Break", "Break", "Break"),
    ("10.15-11.15", "Science", "History", "Music", "English", "Maths"),
)


@pytest.fixture
def school(tmp_path: Path) -> Path:
    """A folder with one Word timetable, which is read without OCR."""
    write_week(tmp_path / "week.docx")
    return tmp_path


def write_week(path: Path) -> None:
    """A plain week as a Word table; rows and columns as HEAD and ROWS."""
    import docx

    document = docx.Document()
    table = document.add_table(rows=0, cols=len(HEAD))
    table.style = "Table Grid"
    for row in (HEAD, *ROWS):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(path))


def run(*arguments: str | Path) -> int:
    """The exit code of ``pocai ARGUMENTS``."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def names(path: Path) -> list[str]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return [block["name"] for timetable in content["timetables"] for block in timetable["timeblocks"]]


# --- extract -----------------------------------------------------------------------------------------------------


def test_a_document_is_printed_as_a_week(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("extract", school / "week.docx") == 0
    printed = capsys.readouterr().out
    assert all(text in printed for row in (HEAD, *ROWS) for text in row[1:])
    assert "–10:00" in printed


def test_with_a_folder_the_week_is_saved_as_json_and_the_place_is_said(
    school: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("extract", school / "week.docx", "-o", school / "out") == 0
    saved = json.loads((school / "out/week.json").read_text(encoding="utf-8"))
    assert set(saved) == {"timetables", "warnings"}
    (timetable,) = saved["timetables"]
    assert {"teacher", "className", "term", "year", "timeblocks"} <= set(timetable)
    assert len(timetable["timeblocks"]) == 15
    assert str(school / "out/week.json") in capsys.readouterr().err


def test_every_format_is_written(school: Path) -> None:
    formats = [word for form in ("json", "csv", "xlsx", "ics", "overlay") for word in ("--format", form)]
    dates = ["--term-start", "2026-09-07", "--term-end", "2026-12-18", "--timezone", "Europe/Paris"]
    assert run("extract", school / "week.docx", "-o", school / "out", *formats, *dates) == 0
    written = {path.name for path in (school / "out").iterdir()}
    assert written == {"week.json", "week.csv", "week.xlsx", "week.ics", "week.png"}
    assert (school / "out/week.png").read_bytes().startswith(b"\x89PNG")
    calendar = (school / "out/week.ics").read_text(encoding="utf-8")
    assert "BEGIN:VCALENDAR" in calendar
    assert "Europe/Paris" in calendar


def test_one_format_goes_to_standard_output(school: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("extract", school / "week.docx", "--format", "json") == 0
    assert json.loads(capsysbinary.readouterr().out)["timetables"][0]["timeblocks"]


def test_a_document_comes_from_standard_input(school: Path) -> None:
    with (school / "week.docx").open("rb") as document:
        command = [sys.executable, "-c", "from pocai.cli import main; main()", "extract", "-", "-f", "json"]
        done = subprocess.run(command, stdin=document, capture_output=True, check=True)
    assert len(json.loads(done.stdout)["timetables"][0]["timeblocks"]) == 15


def test_a_folder_is_read_recursively_and_summed_up(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_week(school / "more/other.docx")
    (school / "notes.txt").write_text("not a document", encoding="utf-8")
    assert run("extract", school, "-o", school / "out") == 0
    assert names(school / "out/week.json") == names(school / "out/more/other.json")
    assert "2 documents" in capsys.readouterr().err


def test_a_failed_document_does_not_stop_the_others(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, absent = school / "broken.png", school / "absent.png"
    broken.write_bytes(b"no picture")
    assert run("extract", broken, absent, school / "week.docx", "-o", school / "out") == 2
    assert len(names(school / "out/week.json")) == 15
    said = capsys.readouterr().err
    assert "broken.png" in said
    assert "absent.png" in said


def test_a_document_without_a_timetable_exits_3(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import docx

    letter = docx.Document()
    letter.add_paragraph("Dear parents, the hall is closed.")
    letter.save(str(school / "letter.docx"))
    assert run("extract", school / "letter.docx", "-o", school / "out") == 3
    assert not (school / "out").exists()
    assert "Dear" not in capsys.readouterr().err


def test_the_highest_exit_code_counts(school: Path) -> None:
    import docx

    (school / "broken.png").write_bytes(b"no picture")
    docx.Document().save(str(school / "empty.docx"))
    assert run("extract", school / "empty.docx", school / "broken.png", school / "week.docx") == 3


def test_errors_as_json_are_one_object_a_failed_document(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = school / "broken.png"
    broken.write_bytes(b"no picture")
    assert run("extract", school / "week.docx", broken, school / "absent.pdf", "--json-errors") == 2
    errors = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [error["file"] for error in errors] == [str(broken), str(school / "absent.pdf")]
    assert all({"code", "message", "mend", "file"} == set(error) for error in errors)
    assert all(error["message"] and error["code"] for error in errors)


def test_unknown_engine_exits_4() -> None:
    assert run("extract", Path(pocai.__file__).parent / "assets/demo/demo.png", "--engine", "no-such-engine") == 4


def test_settings_that_cannot_be_used_exit_5(
    school: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POCAI_THREADS", "many")
    assert run("extract", school / "week.docx") == 5
    assert "POCAI_THREADS" in capsys.readouterr().err


def test_a_term_that_ends_before_it_starts_exits_5(school: Path) -> None:
    dates = ["--term-start", "2026-09-07", "--term-end", "2026-09-01"]
    assert run("extract", school / "week.docx", "-o", school / "out", "-f", "ics", *dates) == 5


def test_several_results_do_not_go_to_standard_output(school: Path) -> None:
    assert run("extract", school / "week.docx", "-f", "json", "-f", "csv") == 2


def test_no_result_replaces_a_document_or_a_result_of_another_document(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(b"the school's own photo")
    first, second = Source(photo, PurePath("a")), Source(tmp_path / "b/a.pdf", PurePath("a"))
    saver = Saver(tmp_path, inputs=frozenset({photo.resolve()}))
    saver.save(first, Artefact(".json", b"first"))
    for source, ending in ((first, ".png"), (second, ".json")):
        with pytest.raises(InputError, match="would be overwritten"):
            saver.save(source, Artefact(ending, b"second"))
    with pytest.raises(InputError, match="would be overwritten"):
        Saver(tmp_path, inputs=frozenset()).save(Source(tmp_path / "a.docx", PurePath("a")), Artefact(".png", b""))
    assert photo.read_bytes() == b"the school's own photo"
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.json"}


def test_an_earlier_result_is_replaced_and_this_is_said(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for said in ("Saved", "Replaced"):
        assert run("extract", school / "week.docx", "-o", school / "out") == 0
        assert said in capsys.readouterr().err
    assert [path.name for path in (school / "out").iterdir()] == ["week.json"]


# --- sources -----------------------------------------------------------------------------------------------------


def outputs(*paths: Path, leave_out: Path | None = None) -> list[str]:
    return [source.output.as_posix() for source in find_sources(paths, leave_out=leave_out)]


def test_documents_of_one_name_keep_apart() -> None:
    assert outputs(Path("a.png"), Path("b.png")) == ["a", "b"]
    assert outputs(Path("a.png"), Path("a.pdf"), Path("b.png")) == ["a.png", "a.pdf", "b"]
    assert outputs(Path("x/a.png"), Path("y/a.png"), Path("z/A.PNG")) == ["a.png", "a.png-2", "A.PNG-3"]


def test_a_document_named_twice_is_read_once() -> None:
    assert outputs(Path("a.png"), Path("a.png")) == ["a"]


def test_folders_keep_their_shape_and_results_are_not_read_again(tmp_path: Path) -> None:
    for place in ("a.png", "sub/a.PNG", "out/a.png", ".hidden.png", "~$open.docx", "notes.txt"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
    assert outputs(tmp_path, leave_out=tmp_path / "out") == ["a", "sub/a"]


def test_a_folder_without_documents_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no document"):
        find_sources([tmp_path])
    assert run("extract", tmp_path) == 2


def test_standard_input_has_a_name_for_its_results() -> None:
    (source,) = find_sources([Path("-")])
    assert (source.output, source.label) == (PurePath("stdin"), "standard input")


# --- the week on the terminal ------------------------------------------------------------------------------------


def lesson(day: Day | None, name: str, start: str | None, end: str | None = None, **more: Any) -> TimeBlock:
    return TimeBlock(day=day, name=name, start_time=start, end_time=end, **more)


def shown(*blocks: TimeBlock, width: int = 120, **head: Any) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(week(Timetable(timeblocks=blocks, **head), width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_weekend_is_shown_only_where_it_is_used() -> None:
    assert "Saturday" not in shown(lesson("Monday", "Maths", "09:00"))
    assert "Saturday" in shown(lesson("Saturday", "Club", "09:00"))


def test_parallel_lessons_stand_in_one_cell_and_are_marked() -> None:
    text = shown(lesson("Monday", "French", "09:00", "10:00"), lesson("Monday", "German", "09:00", "10:00"))
    assert "French" in text
    assert "German" in text
    assert text.count("overlaps") == 2


def test_lessons_that_end_otherwise_say_so() -> None:
    days: tuple[Day, ...] = ("Monday", "Tuesday")
    text = shown(lesson("Friday", "Art", "09:00", "11:00"), *(lesson(day, "Maths", "09:00", "10:00") for day in days))
    assert "09:00–10:00" in text
    assert "to 11:00" in text
    assert "to 10:00" not in text


def test_blocks_without_day_or_time_are_listed() -> None:
    text = shown(lesson(None, "Assembly", "09:00", "09:20"), lesson("Monday", "Homework", None))
    assert "No day named" in text
    assert "Assembly" in text
    assert "no time" in text


def test_notes_weeks_and_head_are_shown() -> None:
    text = shown(lesson("Monday", "Swimming", "09:00", notes="Bring a towel", weeks="A"), class_name="3 Kestrel")
    assert all(part in text for part in ("Bring a towel", "[A]", "3 Kestrel"))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_lost(width: int) -> None:
    days: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Sunday")
    text = shown(*(lesson(day, f"Lesson{number}", "09:00") for number, day in enumerate(days)), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert all(f"Lesson{number}" in text for number in range(len(days)))


def test_control_characters_of_a_document_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in shown(lesson("Monday", "Ma\x1b[31mths", "09:00", notes="\x1b]0;title\x07"))


def test_brackets_of_a_document_are_text_not_markup() -> None:
    assert "[red]Maths[/red]" in shown(lesson("Monday", "[red]Maths[/red]", "09:00"))


def test_lessons_of_different_weeks_do_not_overlap() -> None:
    first = lesson("Monday", "French", "09:00", "10:00", weeks="A")
    assert overlapping([first, lesson("Monday", "German", "09:30", "10:30", weeks="B")]) == frozenset()
    assert overlapping([first, lesson("Monday", "German", "09:30", "10:30")]) == {0, 1}
    assert (
        overlapping([first, lesson("Monday", "Art", "10:00", "11:00"), lesson("Tuesday", "PE", "09:00", "10:00")])
        == frozenset()
    )


# --- everything else ---------------------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("extract", "evaluate", "doctor", "Exit codes"))


def test_help_answers_at_once() -> None:
    command = [sys.executable, "-c", "from pocai.cli import main; main()", "--help"]
    assert min(cpu_seconds(command) for _ in range(3)) <= 0.4


def cpu_seconds(command: list[str]) -> float:
    """What a child process costs; unlike wall time it does not depend on what else the machine does."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert pocai.__version__ in capsys.readouterr().out


def test_doctor_finds_this_installation_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    code = run("doctor", "--json")
    report = json.loads(capsys.readouterr().out)
    failed = [check for check in report["checks"] if check["state"] == "failed"]
    assert (code, failed) == (0, [])
    assert {"system", "package", "model", "self-test"} <= {check["group"] for check in report["checks"]}


def test_evaluate_prints_figures_and_writes_both_reports(school: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("extract", school / "week.docx", "-o", school) == 0
    assert run("evaluate", school, "-o", school / "report") == 0
    assert "1.000" in capsys.readouterr().out
    assert {path.name for path in (school / "report").iterdir()} == {"report.md", "report.html"}


def test_evaluate_without_labels_exits_2(tmp_path: Path) -> None:
    assert run("evaluate", tmp_path) == 2


def test_a_fault_of_ours_is_one_line_without_text_of_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("text of the document")

    monkeypatch.setattr("pocai.inference.pipeline.read", broken)  # no document is known to break it
    assert run("extract", tmp_path / "any.png", "--json-errors") == 2
    (tmp_path / "any.png").touch()
    assert run("extract", tmp_path / "any.png", "--json-errors") == 1
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "text of the document" not in said
