"""A server that speaks S3, in an environment of its own (`make s3-tools`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.support.programs import started
from tests.support.server import free_port

BUCKET: Final = "bucket"
OPTIONS: Final = {
    "access_key_id": "somebody",
    "secret_access_key": "a secret",
    "region": "eu-central-1",
    "allow_http": "true",
}
_MOTO: Final = Path(__file__).parents[2] / ".tools/s3/bin/moto_server"


def has_s3() -> bool:
    """Whether the server is installed."""
    return _MOTO.is_file()


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Its address, with an empty bucket `BUCKET`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = (str(_MOTO), "--host", "127.0.0.1", "--port", str(port))
    with started(*command, env={}, log=log, ready=f"{url}/moto-api/"):
        httpx.put(f"{url}/{BUCKET}").raise_for_status()
        yield url
