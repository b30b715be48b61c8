"""What every request passes before a face sees it, as plain ASGI."""
