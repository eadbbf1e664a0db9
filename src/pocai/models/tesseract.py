"""Tesseract as an OCR engine, through its command line, where it is installed."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from itertools import groupby

from pocai.documents.page import Box, Line, Page, Quad, Word
from pocai.documents.straighten import turn
from pocai.errors import ModelError
from pocai.models.artefact import usable_threads
from pocai.models.protocols import OCRResult

TIMEOUT = 60.0  # seconds for one page
LANGUAGES = ("eng", "deu", "fra", "spa", "ita", "por")
SURE = 1.0  # Tesseract's own orientation confidence below which a page is left as it lies
WORD = "5"  # level of a word in Tesseract's table
MEND = "apt install tesseract-ocr"


def binary() -> str | None:
    """Path of the ``tesseract`` program, None where it is not installed."""
    return shutil.which("tesseract")


class TesseractEngine:
    """Tesseract with its LSTM models, in the installed ones of English, German, French, Spanish, Italian, Portuguese.

    ``threads`` bounds the cores of one run (0: all usable ones). Raises ModelError when the program is missing, fails
    or takes longer than a minute on a page. It reads level lines only.
    """

    name = "tesseract"

    def __init__(self, threads: int = 0) -> None:
        program = binary()
        if program is None:
            raise ModelError("the program tesseract is not installed", mend=MEND)
        self._program = program
        self._threads = usable_threads(threads)
        installed = self._run("--list-langs").decode(errors="replace").split()
        self._languages = "+".join(language for language in LANGUAGES if language in installed) or "eng"

    def read(self, page: Page) -> OCRResult:
        """What is written on the page, in its coordinates."""
        table = self._run("stdin", "stdout", "-l", self._languages, "--psm", "11", "tsv", picture=_png(page))
        return OCRResult.of(lines_of(table.decode("utf-8", errors="replace")), self.name)

    def read_upright(self, page: Page) -> tuple[Page, OCRResult]:
        """The page turned as Tesseract's orientation detection says, where it is sure, and what is written on it."""
        try:
            report = self._run("stdin", "stdout", "--psm", "0", picture=_png(page)).decode(errors="replace")
        except ModelError:  # it ends with an error where a page has too little text to tell
            report = ""
        page = turn(page, quarter_turns(report))
        result = self.read(page)
        return page.with_lines(result.lines), result

    def _run(self, *arguments: str, picture: bytes | None = None) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - the program's own path, arguments from this file, no shell
                (self._program, *arguments),
                input=picture,
                capture_output=True,
                timeout=TIMEOUT,
                check=True,
                env={**os.environ, "OMP_THREAD_LIMIT": str(self._threads)},
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"tesseract took longer than {TIMEOUT:.0f} seconds", mend="Use ppocr.") from error
        except (OSError, subprocess.CalledProcessError) as error:
            raise ModelError(f"tesseract failed: {type(error).__name__}", mend=MEND) from error
        return done.stdout


def quarter_turns(report: str) -> int:
    """Clockwise quarter turns that an orientation report asks for; 0 where it is unsure or says nothing."""
    rotate = re.search(r"^Rotate: (\d+)$", report, re.MULTILINE)
    confidence = re.search(r"^Orientation confidence: ([\d.]+)$", report, re.MULTILINE)
    if rotate is None or confidence is None or float(confidence[1]) < SURE:
        return 0
    return int(rotate[1]) // 90 % 4


def lines_of(table: str) -> tuple[Line, ...]:
    """The lines of a Tesseract TSV table, in its order; scores become 0 to 1."""
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = [row for row in rows if row["level"] == WORD and (row["text"] or "").strip()]
    keys = ("page_num", "block_num", "par_num", "line_num")
    return tuple(_line(group) for _, group in groupby(words, key=lambda row: tuple(row[key] for key in keys)))


def _line(rows: Iterable[Mapping[str, str]]) -> Line:
    words = tuple(Word(row["text"].strip(), _box(row), max(0.0, float(row["conf"])) / 100) for row in rows)
    box = Box.around(word.box for word in words)
    confidence = sum(word.confidence or 0.0 for word in words) / len(words)
    text = " ".join(word.text for word in words)
    return Line(text, Quad.of(box), confidence=confidence, words=words, size=box.height, reader="tesseract")


def _box(row: Mapping[str, str]) -> Box:
    left, top, width, height = (float(row[key]) for key in ("left", "top", "width", "height"))
    return Box(left, top, left + width, top + height)


def _png(page: Page) -> bytes:
    import cv2

    assert page.image is not None, "the service reads only pages with a picture"
    return cv2.imencode(".png", cv2.cvtColor(page.image, cv2.COLOR_RGB2BGR))[1].tobytes()
