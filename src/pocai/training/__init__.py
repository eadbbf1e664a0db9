"""Training: one loop, a task per model, recipes. Needs the extra ``train``."""
