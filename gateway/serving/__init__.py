"""Processes that serve: uvicorn's protocol and server, and their supervisor."""
