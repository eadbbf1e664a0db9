"""The tasks that recipes can name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pocai.errors import ConfigurationError
from pocai.training.recipe import Recipe, invalid
from pocai.training.task import Task

Table = TypeVar("Table", bound=BaseModel)
Model = TypeVar("Model", bound=BaseModel)
Data = TypeVar("Data", bound=BaseModel)
Loss = TypeVar("Loss", bound=BaseModel)


def _student(recipe: Recipe) -> Task[Any]:
    from pocai.models.student_network import StudentConfig
    from pocai.training.ocr_model.student import StudentData, StudentLoss, StudentTask

    return StudentTask(*_tables(recipe, StudentConfig, StudentData, StudentLoss), recipe.seed)


def _trocr(recipe: Recipe) -> Task[Any]:
    from pocai.training.ocr_model.trocr import TrOCRTask

    return TrOCRTask(recipe)


def _lora(recipe: Recipe) -> Task[Any]:
    from pocai.training.lora import LoraTask

    return LoraTask(recipe)


def _layout(recipe: Recipe) -> Task[Any]:
    from pocai.models.layout_network import LayoutConfig
    from pocai.training.document_model.layout_task import LayoutData, LayoutLoss, LayoutTask

    return LayoutTask(*_tables(recipe, LayoutConfig, LayoutData, LayoutLoss), recipe.seed)


def _distil(recipe: Recipe) -> Task[Any]:
    from pocai.models.layout_network import LayoutConfig
    from pocai.training.document_model.distill_task import DistilData, DistilLoss, DistilTask

    return DistilTask(*_tables(recipe, LayoutConfig, DistilData, DistilLoss), recipe.seed)


def _layout_lora(recipe: Recipe) -> Task[Any]:
    from pocai.training.document_model.layout_lora import LayoutLoraTask

    return LayoutLoraTask(recipe)


def _language(recipe: Recipe) -> Task[Any]:
    from pocai.training.document_model.language_task import LanguageTask

    return LanguageTask(recipe)


TASKS: dict[str, Callable[[Recipe], Task[Any]]] = {
    "ocr-student": _student,
    "ocr-teacher": _trocr,
    "trocr-lora": _trocr,
    "ocr-lora": _lora,
    "document-base": _layout,
    "document-distil": _distil,
    "document-lora": _layout_lora,
    "document-llm": _language,
}


def checked(kind: type[Table], recipe: Recipe, table: str) -> Table:
    """One table of a recipe as the task's own type. Raises ConfigurationError with the key and its value."""
    try:
        return kind.model_validate(getattr(recipe, table))
    except ValidationError as error:
        raise invalid(error, f"recipe, table {table}") from error


def _tables(recipe: Recipe, model: type[Model], data: type[Data], loss: type[Loss]) -> tuple[Model, Data, Loss]:
    """The three tables of a recipe as a task's own types."""
    return checked(model, recipe, "model"), checked(data, recipe, "data"), checked(loss, recipe, "loss")


def task_of(recipe: Recipe) -> Task[Any]:
    """The task that a recipe names, with its tables checked. Raises ConfigurationError."""
    make = TASKS.get(recipe.task)
    if make is None:
        raise ConfigurationError(
            f"recipe: task = {recipe.task!r} is not known", mend=f"Known tasks: {', '.join(sorted(TASKS))}"
        )
    try:
        return make(recipe)
    except ValidationError as error:
        raise invalid(error, "recipe") from error
