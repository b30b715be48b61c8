"""Payloads of jobs: stored as JSON, in which secrets are encrypted (Fernet)."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr, ValidationError

from services.catalogue import InputModel
from services.catalogue.jobs import PermanentError


class Payloads:
    """Serialises and parses payloads. `secret` has 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(secret))

    def written(self, data: InputModel) -> dict[str, Any]:
        """Return a payload as JSON, with its SecretStr members encrypted."""
        stored: dict[str, Any] = data.model_dump(mode="json")
        for name, value in data:
            if isinstance(value, SecretStr):
                stored[name] = self._fernet.encrypt(value.get_secret_value().encode()).decode()
        return stored

    def read(self, model: type[InputModel], stored: dict[str, Any]) -> InputModel:
        """Parse a stored payload. Raise PermanentError if it is invalid by now, or the process's secret has changed."""
        values = dict(stored)
        try:
            for name, info in model.model_fields.items():
                if info.annotation is SecretStr and name in values:
                    values[name] = self._fernet.decrypt(values[name]).decode()
            return model.model_validate_json(orjson.dumps(values))
        except InvalidToken:
            raise PermanentError("The secret that its payload was sealed with is gone.") from None
        except ValidationError as error:
            names = ", ".join(".".join(map(str, details["loc"])) for details in error.errors())
            raise PermanentError(f"Its payload does not fit {model.__name__} any more: {names}.") from None
