"""What an integrator does with openapi-python-client."""

from __future__ import annotations

import json
import sys
from io import BytesIO

from generated import AuthenticatedClient, Client
from generated.api.auth import login
from generated.api.files import create_file
from generated.api.items import create_item, delete_item, get_item, list_items, update_item
from generated.models import File as FileRead
from generated.models import (
    FileForm,
    Item,
    ItemCreate,
    ItemList,
    ItemSort,
    ItemStatus,
    ItemUpdate,
    LoginInput,
    Problem,
    RelatedLabelList,
    RelatedUser,
    TokenPair,
)
from generated.types import File


def listed(item: Item) -> list[object]:
    assert isinstance(item.labels, RelatedLabelList)
    assert isinstance(item.creator, RelatedUser)
    return [item.title, item.status, [label.name for label in item.labels.data], item.creator.username]


url, username, password = sys.argv[1:]
tokens = login.sync(client=Client(base_url=url), body=LoginInput(username=username, password=password))
assert isinstance(tokens, TokenPair)
api = AuthenticatedClient(base_url=url, token=tokens.access_token)

page = list_items.sync(
    client=api,
    statusin=[ItemStatus.OPEN, ItemStatus.IN_PROGRESS],
    filter_=json.dumps({"priority": {"gte": 3}}),
    sort=[ItemSort.PRIORITY_DESC, ItemSort.TITLE],
    include=["labels", "creator"],
    limit=5,
)
assert isinstance(page, ItemList)
created = create_item.sync(client=api, body=ItemCreate(title="By openapi-python-client"))
assert isinstance(created, Item)
got = get_item.sync(created.id, client=api)
updated = update_item.sync(created.id, client=api, body=ItemUpdate(priority=4))
assert isinstance(updated, Item)
deleted = delete_item.sync_detailed(created.id, client=api)
note = File(payload=BytesIO(b"bytes"), file_name="note.txt", mime_type="text/plain")
uploaded = create_file.sync(client=api, body=FileForm(file=note))
assert isinstance(uploaded, FileRead)
problem = create_item.sync(client=api, body=ItemCreate(title=""))
assert isinstance(problem, Problem)

sys.stdout.write(
    json.dumps(
        {
            "listed": [listed(item) for item in page.data],
            "created": [created.title, created.status],
            "got": isinstance(got, Item) and got.id == created.id,
            "updated": updated.priority,
            "deleted": deleted.status_code,
            "uploaded": [uploaded.name, uploaded.size, uploaded.state],
            "problem": [problem.status, problem.code, [each.field for each in problem.errors or []]],
        }
    )
)
