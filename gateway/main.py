"""`uvicorn gateway.main:app`."""

from __future__ import annotations

import sys

from gateway.app import create_app
from gateway.errors import SettingsError
from services.catalogue import DeclarationError

try:
    app = create_app()
except (SettingsError, DeclarationError) as error:
    sys.exit(f"{error}")
