"""The OCR engine of PP-OCRv6: its detector and its recognizer."""

from __future__ import annotations

from pocai.models.detector import PPOCRDetector
from pocai.models.line_engine import LineEngine
from pocai.models.ppocr_recognizer import PPOCRRecognizer
from pocai.models.protocols import Detector, Recognizer


class PPOCREngine(LineEngine):
    """PP-OCRv6 (small) on ONNX Runtime. Safe to call from several threads.

    ``threads`` is the number of cores it may keep busy, 0 for all usable ones. Other networks can be handed in.
    """

    def __init__(
        self, threads: int = 0, detector: Detector | None = None, recognizer: Recognizer | None = None
    ) -> None:
        super().__init__("ppocr", detector or PPOCRDetector(threads), recognizer or PPOCRRecognizer(threads))
