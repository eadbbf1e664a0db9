"""``pocai distill collect``: a real server on loopback as teacher; labels, ledger, budget, interruption, refusals."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rendering import as_docx
from scripted_server import ScriptedServer, Told, scripted_server
from small_pages import SmallExamples, timetable_of

from pocai.cli import main
from pocai.documents.ingest import load
from pocai.errors import ConfigurationError, InputError
from pocai.evaluation.dataset import read_dataset
from pocai.evaluation.evaluate import Extraction, evaluate
from pocai.inference.pipeline import extract
from pocai.models.language_page import numbered
from pocai.settings import Limits
from pocai.timetable.timetable import Timetable
from pocai.training.document_model.distill_ledger import KEPT, BudgetSpent, Ledger, Price
from pocai.training.document_model.language_labelled import labelled_examples, placed_example

KEY = "sk-ant-very-secret"
PRICES = ("--price-read", "3", "--price-written", "15")
READ, WRITTEN = 1000, 400
COST = (READ * 3 + WRITTEN * 15) / 1e6


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setenv("POCAI_LANGUAGE__MODEL", "tiny")
    monkeypatch.setenv("POCAI_LANGUAGE__KEY", KEY)
    with scripted_server() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three Word documents, and one that cannot be read."""
    (tmp_path / "in").mkdir()
    for number in range(3):
        week(number, tmp_path / "in" / f"week{number}.docx")
    return tmp_path / "in"


def week(number: int, path: Path) -> Timetable:
    found = timetable_of(SmallExamples(3, 7).names(number)).model_copy(update={"title": None})
    path.write_bytes(as_docx(found, days_across=True))
    return found


def answer(path: Path, number: int) -> dict[str, Any]:
    """What a good teacher answers about a document."""
    truth = timetable_of(SmallExamples(3, 7).names(number)).model_copy(update={"title": None})
    example = placed_example(numbered(load(path, limits=Limits()).pages[0]), [truth])
    assert example is not None
    found: dict[str, Any] = json.loads(example.answer.to_json())
    return found


def message(found: Any, **more: Any) -> Told:
    """An answer of the Messages API."""
    content = [{"type": "text", "text": "Here"}, {"type": "tool_use", "id": "a", "name": "timetables", "input": found}]
    usage = {"input_tokens": READ, "output_tokens": WRITTEN}
    return Told(200, json.dumps({"content": content, "stop_reason": "tool_use", "usage": usage, **more}))


def completion(found: Any) -> Told:
    """An answer of an OpenAI-compatible endpoint."""
    choice = {"message": {"content": json.dumps(found)}, "finish_reason": "stop"}
    usage = {"prompt_tokens": READ, "completion_tokens": WRITTEN}
    return Told(200, json.dumps({"choices": [choice], "usage": usage}))


def run(server: ScriptedServer, folder: Path, *options: str) -> int:
    """The exit code of a collection into the folder "out"."""
    words = ["distill", "collect", folder, "-o", folder.parent / "out", "--url", server.url, *options]
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


def ledger(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.parent / "out" / "ledger.jsonl").read_text().splitlines()]


def test_answers_of_claude_become_labels_that_training_and_evaluation_read(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = [message(answer(folder / f"week{number}.docx", number)) for number in range(3)]
    assert run(server, folder, *PRICES) == 0
    assert f"3 answers kept, {3 * COST:.4f} US dollars in all" in capsys.readouterr().err
    out = folder.parent / "out"
    dataset = read_dataset(out)
    assert [each.path.read_bytes() for each in dataset.documents] == [
        (folder / f"week{number}.docx").read_bytes() for number in range(3)
    ]
    label = dataset.documents[0].truth
    assert {"teacher", "className", "term", "year", "timeblocks"} <= label.keys()  # the host's shape
    provenance = label["provenance"]
    assert (provenance["model"], provenance["host"], provenance["requests"]) == ("tiny", "127.0.0.1", 1)
    assert provenance["tokens"] == {"read": READ, "written": WRITTEN}
    assert provenance["costUsd"] == pytest.approx(COST)
    assert {"date", "promptSha256", "documentSha256", "seconds", "pocai", "leftOut"} <= provenance.keys()
    figures = evaluate(dataset, lambda path: Extraction(extract(path)), pictures=False).counts.figures
    assert figures.block == 1.0
    assert len(labelled_examples(out, lambda: pytest.fail("no picture is here"))) == 3


def test_claude_is_asked_as_its_api_wants_it(server: ScriptedServer, folder: Path) -> None:
    server.script = [message(answer(folder / "week0.docx", 0))]
    run(server, folder, "--most-tokens", "700")
    seen = server.seen[0]
    body = json.loads(seen.body)
    assert (seen.method, seen.path) == ("POST", "/v1/messages")
    assert (seen.headers["x-api-key"], seen.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert seen.headers["Authorization"] is None
    assert (body["model"], body["max_tokens"], body["tool_choice"]["name"]) == ("tiny", 700, "timetables")
    assert body["tools"][0]["input_schema"]["required"] == ["timetables"]
    assert "9.00" in body["messages"][0]["content"] or "09:00" in body["messages"][0]["content"]


def test_an_openai_compatible_endpoint_is_a_teacher_too(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = [completion(answer(folder / f"week{number}.docx", number)) for number in range(3)]
    assert run(server, folder, "--api", "openai", "--url", f"{server.url}/v1", "--model", "other") == 0
    assert "3 answers kept: " in capsys.readouterr().err
    assert {seen.path for seen in server.seen} == {"/v1/chat/completions"}
    (first, *_) = read_dataset(folder.parent / "out").documents
    assert (first.truth["provenance"]["model"], first.truth["provenance"]["costUsd"]) == ("other", None)


def test_what_the_text_does_not_say_is_left_out_and_a_wild_answer_dropped(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [answer(folder / f"week{number}.docx", number) for number in range(3)]
    answers[0]["timetables"][0]["events"][0]["notes"] = {"at": [1], "is": "Zauberwald"}
    for event in answers[1]["timetables"][0]["events"]:
        event["name"]["is"] = "Quidditch"
    server.script = [message(each) for each in answers]
    assert run(server, folder) == 0
    assert "2 answers kept, 1 dropped" in capsys.readouterr().err
    first, second = read_dataset(folder.parent / "out").documents
    assert (first.name[:5], second.name[:5]) == ("week0", "week2")
    assert "Zauberwald" not in json.dumps(first.truth)
    assert first.truth["provenance"]["leftOut"] == {"notes": 1}
    assert not any(word in (folder.parent / "out" / "ledger.jsonl").read_text() for word in ("Quidditch", "Zauber"))


def test_an_interrupted_collection_goes_on_where_it_stopped(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [message(answer(folder / f"week{number}.docx", number)) for number in range(3)]
    server.script = [answers[0], Told(529, "{}"), answers[2]]
    assert run(server, folder, *PRICES) == 0
    assert "2 answers kept, 1 failed" in capsys.readouterr().err
    with (folder.parent / "out" / "ledger.jsonl").open("a") as stream:
        stream.write('{"document": "tor')  # as a crash leaves it
    server.script = [answers[1]]
    assert run(server, folder, *PRICES) == 0
    assert "1 answers kept, 2 settled before" in capsys.readouterr().err
    assert len(server.seen) == 4
    assert len(read_dataset(folder.parent / "out").documents) == 3
    assert sum(entry.get("cost", 0) for entry in ledger(folder)) == pytest.approx(3 * COST)  # a refusal costs nothing


def test_no_request_is_made_that_might_pass_the_budget(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = [message(answer(folder / f"week{number}.docx", number)) for number in range(3)]
    options = (*PRICES, "--max-cost", "0.035", "--most-tokens", "500")
    assert run(server, folder, *options) == 0
    asked = [entry["most"] for entry in ledger(folder) if "asked" in entry]
    spent = [COST] * len(asked)
    assert 0 < len(asked) < 3
    assert all(sum(spent[:number]) + most <= 0.035 for number, most in enumerate(asked))
    assert sum(spent) + asked[-1] > 0.035
    assert "might pass the budget" in capsys.readouterr().err
    before = len(server.seen)
    assert run(server, folder, *options) == 0
    assert len(server.seen) == before  # it holds over all calls


def test_an_answer_of_unknown_cost_counts_with_the_most(server: ScriptedServer, folder: Path) -> None:
    server.script = [Told(200, "{}"), message({"timetables": []}, usage=None), message({"timetables": []})]
    assert run(server, folder, *PRICES) == 0
    most = [entry["most"] for entry in ledger(folder) if "asked" in entry]
    costs = [entry["cost"] for entry in ledger(folder) if "answered" in entry]
    assert costs == [most[1], pytest.approx(COST)]  # the first has no end: it counts with the most as well
    identity = ledger(folder)[0]["teacher"]
    with Ledger(folder.parent / "out" / "ledger.jsonl", identity) as read:
        assert read.spent == pytest.approx(most[0] + most[1] + COST)


def test_an_answer_that_was_cut_off_is_paid_and_not_used(server: ScriptedServer, folder: Path) -> None:
    found = [answer(folder / f"week{number}.docx", number) for number in range(3)]
    server.script = [message(found[0], stop_reason="max_tokens"), *(message(each) for each in found[1:])]
    assert run(server, folder, *PRICES) == 0
    assert [entry["outcome"] for entry in ledger(folder) if "outcome" in entry] == ["failed", "kept", "kept"]
    assert sum(entry.get("cost", 0) for entry in ledger(folder)) == pytest.approx(3 * COST)


def test_a_teacher_that_fails_again_and_again_ends_the_run(server: ScriptedServer, folder: Path) -> None:
    week(1, folder / "week3.docx")
    (folder / "week3.docx").write_bytes((folder / "week3.docx").read_bytes() + b"\0")  # another document
    server.script = [Told(401, "secret words")] * 4
    assert run(server, folder) == 4
    assert len(server.seen) == 3


def test_a_document_that_cannot_be_read_stops_nothing(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.pdf").write_bytes(b"nonsense")
    server.script = [message(answer(folder / f"week{number}.docx", number)) for number in range(3)]
    assert run(server, folder) == 0
    assert "3 answers kept, 1 failed" in capsys.readouterr().err


def test_neither_text_nor_key_is_told(
    server: ScriptedServer, folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script = [message(answer(folder / "week0.docx", 0)), Told(500, "Maths"), message("Maths")]
    run(server, folder, *PRICES)
    said = capsys.readouterr()
    told = said.out + said.err + caplog.text + (folder.parent / "out" / "ledger.jsonl").read_text()
    names = {name for number in range(3) for name in SmallExamples(3, 7).names(number) if len(name) > 3}
    assert not [word for word in (KEY, *names) if word in told]
    assert not [path for path in (folder.parent / "out").rglob("*.json") if KEY in path.read_text()]


@pytest.mark.parametrize(
    ("environment", "options", "message"),
    [
        ({}, ("--url", "https://models.example.org"), "documents may not leave it"),
        ({}, ("--api", "claude"), "api.anthropic.com is not this machine"),
        ({"EGRESS": "true", "KEY": None}, ("--api", "claude"), "no key for api.anthropic.com"),
        ({"EGRESS": "true"}, ("--url", "http://models.example.org"), "travel in clear"),
        ({"MODEL": None}, ("--url", "http://127.0.0.1:9"), "no model is named"),
        ({}, ("--api", "openai"), "no endpoint is named"),
        ({}, ("--max-cost", "1"), "needs both prices"),
        ({}, ("--price-read", "1"), "needs both prices"),
    ],
)
def test_what_may_not_be_is_refused_before_anything_is_read(  # noqa: PLR0917, PLR0913 -- fixtures
    environment: dict[str, str | None],
    options: tuple[str, ...],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"MODEL": "tiny", "KEY": KEY, **environment}.items():
        if value is not None:
            monkeypatch.setenv(f"POCAI_LANGUAGE__{name}", value)
    with pytest.raises(SystemExit) as caught:
        main(["distill", "collect", str(folder), "-o", str(folder.parent / "out"), *options])
    assert caught.value.code == 5
    assert message in capsys.readouterr().err
    assert not (folder.parent / "out").exists()


def test_loopback_needs_neither_key_nor_egress(
    server: ScriptedServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POCAI_LANGUAGE__KEY")
    server.script = [message({"timetables": []})] * 3
    assert run(server, folder) == 0
    assert server.seen[0].headers["x-api-key"] is None
    assert [entry["outcome"] for entry in ledger(folder) if "outcome" in entry] == ["nothing"] * 3


def test_a_folder_is_of_one_teacher_and_of_one_process(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    with Ledger(file, {"model": "a"}) as first:
        with pytest.raises(ConfigurationError, match="another process"), Ledger(file, {"model": "a"}):
            pass
        first.ended("0" * 64, KEPT, {})
    with pytest.raises(ConfigurationError, match="another teacher"), Ledger(file, {"model": "b"}):
        pass
    with Ledger(file, {"model": "a"}) as again:
        assert again.settled == {"0" * 64}
    file.write_text(file.read_text() + "[]\n")
    with pytest.raises(InputError, match="line 3 of"), Ledger(file, {"model": "a"}):
        pass


def test_a_budget_counts_what_may_still_come(tmp_path: Path) -> None:
    price = Price(read=2.0, written=10.0)
    assert price.of(1_000_000, 100_000) == pytest.approx(3.0)
    with Ledger(tmp_path / "ledger.jsonl", {}) as ledger:
        number = ledger.ask(0.6, 1.0)
        with pytest.raises(BudgetSpent):
            ledger.ask(0.6, 1.0)
        ledger.answered(number, 0.1)
        ledger.ask(0.6, 1.0)
        assert ledger.spent == pytest.approx(0.7)
