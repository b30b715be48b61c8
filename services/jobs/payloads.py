"""What a job is told, as it is kept: JSON, in which secrets are encrypted (Fernet)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr, ValidationError

from services.catalogue import InputModel
from services.catalogue.jobs import HopelessError


@dataclass(frozen=True, slots=True)
class Payloads:
    """Writes and reads payloads. `secret` has 32 bytes."""

    secret: bytes = field(repr=False)

    def written(self, data: InputModel) -> dict[str, Any]:
        """A payload as JSON. Its members of the type SecretStr are sealed."""
        found: dict[str, Any] = data.model_dump(mode="json")
        for name, value in data:
            if isinstance(value, SecretStr):
                found[name] = self._fernet.encrypt(value.get_secret_value().encode()).decode()
        return found

    def read(self, model: type[InputModel], stored: dict[str, Any]) -> InputModel:
        """The payload again. Raises HopelessError if it does not fit any more, or the process's secret has changed."""
        opened = dict(stored)
        try:
            for name, info in model.model_fields.items():
                if info.annotation is SecretStr and name in opened:
                    opened[name] = self._fernet.decrypt(opened[name]).decode()
            return model.model_validate_json(orjson.dumps(opened))
        except InvalidToken:
            raise HopelessError("The secret that its payload was sealed with is gone.") from None
        except ValidationError as error:
            names = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            raise HopelessError(f"Its payload does not fit {model.__name__} any more: {names}.") from None

    @property
    def _fernet(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.secret))
