"""The peer that a team would write by hand today: FastAPI, Strawberry, SQLAlchemy's ORM and aiodataloader.

It does what the benchmark's cases need and no more, but that properly: parsed and validated documents are cached,
relations are batched by loaders, REST has response models, tokens are verified, members see their workspaces only and
e-mail addresses are for their owners.
"""
