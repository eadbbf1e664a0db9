"""``/v1/models``: which models can be asked for by name, and whether they can run here."""

from __future__ import annotations

from fastapi import APIRouter

from pocai import __version__
from pocai.errors import UnknownModel
from pocai.inference.answers import ModelAnswer, ModelList
from pocai.inference.document_service import DOCUMENT_MODELS
from pocai.models import catalog
from pocai.server.auth import ModelsReader
from pocai.server.problems import SERVICE, problems, sample
from pocai.server.service import ServiceDep
from pocai.settings import Settings

OWN_LICENCE = "MIT"  # of what is part of this package

router = APIRouter(prefix="/v1", tags=["models"], responses=problems(401, 403, 429, 500))


@router.get("/models", operation_id="listModels", summary="All models", openapi_extra=sample(f"{SERVICE}/v1/models"))
def list_models(service: ServiceDep, _caller: ModelsReader) -> ModelList:
    """OCR engines and document models; `default` marks those that read where nothing else is asked for."""
    return ModelList(models=models_of(service.settings))


@router.get(
    "/models/{name}",
    operation_id="getModel",
    summary="One model",
    responses=problems(404, 422),
    openapi_extra=sample(f"{SERVICE}/v1/models/ppocr"),
)
def get_model(name: str, service: ServiceDep, _caller: ModelsReader) -> ModelAnswer:
    """A model by its name."""
    found = {model.name: model for model in models_of(service.settings)}
    if name not in found:
        raise UnknownModel("there is no model of that name", mend=f"Choose one of: {', '.join(found)}")
    return found[name]


def models_of(settings: Settings) -> tuple[ModelAnswer, ...]:
    """Every model, those of the catalogue first; looks for their files and loads none."""
    engines = (
        ModelAnswer(
            name=found.name,
            task="ocr",
            version=found.version,
            licence=found.licence,
            installed=found.installed,
            default=found.name == settings.ocr_engine,
            files=dict(found.files),
        )
        for found in catalog.describe()
    )
    documents = (
        ModelAnswer(
            name=name,
            task="document",
            version=__version__,
            licence=OWN_LICENCE,
            installed=True,
            default=name == settings.document_model,
        )
        for name in DOCUMENT_MODELS
    )
    return (*engines, *documents)
