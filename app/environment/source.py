"""Settings that are read from the environment, and that tell all that is wrong with them at once."""

import os
from typing import Any, TypeVar

from pydantic import ModelWrapValidatorHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.environment.variables import PREFIX, found
from app.environment.wording import worded

_PROBLEMS = "problems!"

Validated = TypeVar("Validated")


def variable_name(setting: str) -> str:
    """The name of the environment variable of a setting."""
    return PREFIX + setting.upper()


class EnvironmentSettings(BaseSettings):
    """A base class. What derives from it is to be `validated`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)


class _Environment(PydanticBaseSettingsSource):
    """Reads the environment: see `app.environment.variables`."""

    def __call__(self) -> dict[str, Any]:
        """The values as text, and under a name that no setting has what is wrong with others."""
        findings = found(os.environ, self.settings_cls.model_fields)
        values: dict[str, Any] = {_PROBLEMS: findings.problems}
        for setting, variable in findings.variables.items():
            if setting in self.current_state:
                continue
            try:
                values[setting] = variable.value()
            except ValueError as error:
                findings.problems.append((variable.name, str(error)))
        return values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: all values are found at once."""
        raise NotImplementedError


def validated(given: Any, handler: ModelWrapValidatorHandler[Validated]) -> Validated:  # noqa: ANN401
    """What the validator that wraps all others returns. Raises `ValidationError`, for all that is wrong at once."""
    given = dict(given) if isinstance(given, dict) else given
    problems: list[tuple[str, str]] = given.pop(_PROBLEMS, []) if isinstance(given, dict) else []
    try:
        settings = handler(given)
    except ValidationError as error:
        problems += [
            (variable_name(str(detail["loc"][0])) if detail["loc"] else "", worded(detail))
            for detail in error.errors(include_url=False, include_input=False)
        ]
    else:
        if not problems:
            return settings
    raise ValidationError.from_exception_data(
        "Settings",
        [
            InitErrorDetails(type=PydanticCustomError("setting", "{text}", {"text": text}), loc=(name,), input=None)
            for name, text in problems
        ],
        hide_input=True,
    )
