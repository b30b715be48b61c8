"""The bytes of files, in and out."""
