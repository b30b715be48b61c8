"""The key that signs tokens: how a strong one is told from a weak one, and where development keeps its own."""

import os
import secrets
import tempfile
from pathlib import Path

from gateway.errors import SettingsError

MINIMUM_SECRET_BYTES = 32
MINIMUM_DISTINCT_CHARACTERS = 8
PLACEHOLDERS = ("changeme", "change-me", "change_me", "changethis", "secret", "password", "default", "example")


def length_fault(key: str) -> str | None:
    """Say when `key` is too short for its algorithm (RFC 7518, 3.2), without quoting it; None when it is not."""
    if len(key.encode()) < MINIMUM_SECRET_BYTES:
        return f"must be at least {MINIMUM_SECRET_BYTES} bytes long"
    return None


def weakness(key: str) -> str | None:
    """Say what makes a `key` of sufficient length easy to guess, without quoting it; None when nothing does."""
    if any(word in key.lower() for word in PLACEHOLDERS):
        return "looks like a placeholder: use a random string"
    # A string that occurs in its own doubling, ends cut off, is a shorter string repeated.
    if key in (key + key)[1:-1] or len(set(key)) < MINIMUM_DISTINCT_CHARACTERS:
        return "repeats itself: use a random string"
    return None


def development_secret(data_dir: Path) -> str:
    """Return the secret kept in `data_dir/secret_key`, made on first use and readable by its owner alone.

    Any number of processes may call this at once: the file appears complete or not at all, and the first one wins.
    """
    kept = data_dir / "secret_key"
    if not kept.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _create_exclusively(kept, secrets.token_urlsafe(48))
    key = kept.read_text(encoding="ascii").strip()
    if length_fault(key):
        raise SettingsError(f"The secret kept in {kept} is damaged: delete the file, or set SECRET_KEY.")
    return key


def _create_exclusively(path: Path, text: str) -> None:
    """Write `text` to `path` unless it exists. A link is as exclusive as O_EXCL, and never shows half a file."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
