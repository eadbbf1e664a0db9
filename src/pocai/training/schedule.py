"""The learning rate as a function of the step alone, so that a resumed run needs no state for it."""

from __future__ import annotations

from math import cos, pi

from pocai.training.recipe import LoopSettings


def learning_rate(settings: LoopSettings, step: int) -> float:
    """Linear warm-up, then half a cosine down to ``final_rate`` at the last step (Loshchilov & Hutter 2017)."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / (settings.warmup_steps + 1)
    done = (step - settings.warmup_steps) / max(1, settings.steps - 1 - settings.warmup_steps)
    share = 0.5 * (1 + cos(pi * min(1.0, done)))
    return settings.learning_rate * (settings.final_rate + (1 - settings.final_rate) * share)
