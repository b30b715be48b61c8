"""Errors that stop the start-up.

SettingsError        a setting is invalid, or its server cannot be used
├── FolderInUse      another gateway uses DATA_DIR
└── UnreachableError a server does not answer
"""


class SettingsError(Exception):
    """A setting is invalid, or its server cannot be used. The text is for the operator and contains no secret."""


class FolderInUse(SettingsError):  # noqa: N818 - a state, not a fault
    """Another gateway is running on the data folder."""


class UnreachableError(SettingsError):
    """A server does not answer; the settings may be right."""
