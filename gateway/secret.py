"""Check the strength of the key that signs tokens, and keep a generated one for development."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from gateway.errors import SettingsError

MINIMUM_SECRET_BYTES = 32
MINIMUM_DISTINCT_CHARACTERS = 8
PLACEHOLDERS = ("changeme", "change-me", "change_me", "changethis", "secret", "password", "default", "example")


def secret_fault(key: str, *, is_production: bool) -> str | None:
    """Return what is wrong with a key, without quoting it; else None.

    It may be too short for its algorithm (RFC 7518, 3.2) or, in production, easy to guess.
    """
    if len(key.encode()) < MINIMUM_SECRET_BYTES:
        return f"must be at least {MINIMUM_SECRET_BYTES} bytes long"
    if is_production and any(word in key.lower() for word in PLACEHOLDERS):
        return "looks like a placeholder: use a random string"
    # A string inside its own doubling without the ends is a repetition of a shorter string.
    if is_production and (key in (key + key)[1:-1] or len(set(key)) < MINIMUM_DISTINCT_CHARACTERS):
        return "repeats itself: use a random string"
    return None


def development_secret(data_dir: Path) -> str:
    """Return the secret in `data_dir/secret_key`, which is created at first use and readable by its owner alone.

    Several processes may call this at once: the file is created atomically, and all use the first one.
    """
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=data_dir, prefix=".secret-")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
            # A link is as exclusive as O_EXCL, and never to a partial file.
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            Path(draft).unlink()
    key = path.read_text(encoding="ascii").strip()
    if secret_fault(key, is_production=False):
        raise SettingsError(f"The secret kept in {path} is damaged: delete the file, or set SECRET_KEY.")
    return key
