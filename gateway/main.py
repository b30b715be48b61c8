"""`uvicorn gateway.main:app`."""

from __future__ import annotations

import sys

from gateway.app import create_app
from gateway.errors import SettingsError

try:
    app = create_app()
except SettingsError as error:
    sys.exit(f"{error}")
