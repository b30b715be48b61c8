"""What stops a start.

SettingsError        a setting, or the server it names
├── FolderInUse      another gateway uses DATA_DIR
└── UnreachableError a server does not answer
"""


class SettingsError(Exception):
    """A setting or its server stops the start. The text is for the operator and never holds a secret."""


class FolderInUse(SettingsError):  # noqa: N818 - what the operator reads is a state, not a fault
    """Another gateway is running on the data folder."""


class UnreachableError(SettingsError):
    """A server does not answer, which says nothing about the settings."""
