"""Parses an engine's list of models, in all shapes that engines use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.bots.trouble import Trouble
from app.chat.errors import BotMisconfigured

_NAMES = ("id", "name", "model")
_SIZES = (
    "n_ctx",
    "max_model_len",
    "loaded_context_length",
    "context_length",
    "context_window",
    "max_context_length",
    "max_input_tokens",
)
"""The engine's actual context size comes before the model's maximum. Not `n_ctx_train`: the engine may use less."""

_MOST_TOKENS = 2**31


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the list."""

    name: str
    context_tokens: int | None


def listed(answer: object, wanted: str | None) -> Model:
    """The wanted model, or the first if `wanted` is `None`. Raises `Trouble`, which says what was found instead."""
    models = list(_models(answer))
    found = next((model for model in models if model.name == wanted), None)
    if found is None and wanted is not None and len(models) == 1:
        found = Model(wanted, models[0].context_tokens)  # many engines accept any name for their only model
    if found is None and models and wanted is None:
        found = models[0]
    if found is None:
        what = f"its list of models has {_seen(answer)}"
        raise Trouble(BotMisconfigured(), what, "set CHAT_OPENAI_MODEL, or load a model there")
    return found


def _models(answer: object) -> Iterator[Model]:
    entries = answer
    if isinstance(answer, Mapping):
        entries = answer.get("data") or answer.get("models")
    for entry in entries if isinstance(entries, list) else ():
        name = entry if isinstance(entry, str) else _first(entry, _NAMES, str)
        if isinstance(name, str):
            yield Model(name, _size(entry))


def _size(entry: object) -> int | None:
    if not isinstance(entry, Mapping):
        return None
    for holder in (entry.get("meta"), entry.get("top_provider"), entry):
        size = _first(holder, _SIZES, int)
        if isinstance(size, int) and 0 < size < _MOST_TOKENS:
            return size
    return None


def _first(holder: object, names: tuple[str, ...], kind: type) -> object:
    if not isinstance(holder, Mapping):
        return None
    return next((holder[name] for name in names if type(holder.get(name)) is kind and holder[name]), None)


def _seen(answer: object) -> str:
    match answer:
        case None:
            return "no JSON in it"
        case {"data": []} | {"models": []} | []:
            return "nothing in it"
        case _:
            return "no model with a name in it"
