"""What ariadne-codegen's client tells of its calls: as the clients in src/ do, see shared.ts there."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys

from graphql_client import (
    Client,
    CreateItemInput,
    FindAnythingNodeItem,
    GraphQLClientGraphQLMultiError,
    ItemFilter,
    ItemOrder,
    ItemOrderField,
    ItemParts,
    ItemStatus,
    ItemStatusFilter,
    LoginInput,
    OrderDirection,
    StringFilter,
    UpdateItemInput,
    Upload,
    UploadFileInput,
)

URL = os.environ["GRAPHQL_URL"]
BATCH = os.environ["BATCH"]
WANTED = ItemFilter(
    and_=[
        ItemFilter(title=StringFilter(starts_with=BATCH)),
        ItemFilter(not_=ItemFilter(status=ItemStatusFilter(in_=[ItemStatus.DONE, ItemStatus.ARCHIVED]))),
    ]
)


async def signed_in() -> Client:
    given = LoginInput(username=os.environ["USERNAME"], password=os.environ["PASSWORD"])
    done = await Client(URL).login(given)
    assert done.login is not None
    token = done.login.token_pair.access_token
    return Client(URL, headers={"Authorization": f"Bearer {token}", "Apollo-Require-Preflight": "true"})


class Calls:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def create(self, data: CreateItemInput) -> ItemParts:
        done = await self.client.create_item(data)
        assert done.create_item is not None
        return done.create_item.item

    async def update(self, data: UpdateItemInput) -> ItemParts:
        done = await self.client.update_item(data)
        assert done.update_item is not None
        return done.update_item.item

    async def pages(self) -> list[dict[str, object]]:
        order, after, found = ItemOrder(field=ItemOrderField.TITLE, direction=OrderDirection.DESC), None, []
        while True:
            page = (await self.client.list_items(first=2, after=after, filter_=WANTED, order_by=[order])).items
            assert page is not None
            titles = [edge.node.title.replace(BATCH, "") for edge in page.edges]
            found.append({"titles": titles, "totalCount": page.total_count})
            if not page.page_info.has_next_page:
                return found
            after = page.page_info.end_cursor

    async def find(self, id: str) -> str:
        node = (await self.client.find_anything(id)).node
        assert node is not None
        if not isinstance(node, FindAnythingNodeItem):
            return node.typename__
        assert node.status is not None
        return node.status.value

    async def uploads(self) -> list[list[str]]:
        by_file = (await self.client.upload_file(text(), name="named.txt")).upload_file
        by_input = (await self.client.upload_by_input(UploadFileInput(file=text()))).upload_file
        assert by_file is not None
        assert by_input is not None
        return [[each.name, each.media_type] for each in (by_file.file, by_input.file)]


def text() -> Upload:
    return Upload("engine.txt", io.BytesIO(b"carried by a client"), "text/plain")


def problem(error: GraphQLClientGraphQLMultiError) -> dict[str, object]:
    told = error.errors[0].extensions
    assert told is not None
    errors = told.get("errors", [])
    assert isinstance(errors, list)
    return {"code": told["code"], "status": told["status"], "fields": [[e["field"], e["code"]] for e in errors]}


def shown(item: ItemParts) -> dict[str, object]:
    values = item.model_dump(
        mode="json", by_alias=True, include={"title", "description", "status", "priority", "due_at"}
    )
    labels = item.labels.model_dump(mode="json")["nodes"] if item.labels is not None else None
    return {**values, "title": item.title.replace(BATCH, ""), "labels": labels}


async def main() -> None:
    async with await signed_in() as client:
        calls = Calls(client)
        created = await calls.create(CreateItemInput(title=f"{BATCH}1"))
        await calls.create(CreateItemInput(title=f"{BATCH}2"))
        due = await calls.create(
            CreateItemInput(title=f"{BATCH}3", due_at="2030-01-31T12:00:00Z", status=ItemStatus.IN_PROGRESS)
        )
        id = created.id
        first = await calls.update(UpdateItemInput(id=id, expected_version=created.etag, description="told"))
        renamed = await calls.update(UpdateItemInput(id=id, expected_version=first.etag, title=f"{BATCH}0"))
        cleared = await calls.update(UpdateItemInput(id=id, expected_version=renamed.etag, description=None))
        refused = []
        for call in (
            client.update_item(UpdateItemInput(id=id, expected_version=created.etag, priority=1)),
            client.create_item(CreateItemInput(title="")),
        ):
            try:
                await call
            except GraphQLClientGraphQLMultiError as error:
                refused.append(problem(error))
        stale, invalid = refused
        told = {
            "created": [shown(created), shown(due)],
            "updated": [first.description, renamed.description, cleared.description],
            "stale": stale,
            "invalid": invalid,
            "found": await calls.find(id),
            "pages": await calls.pages(),
            "uploads": await calls.uploads(),
        }
    sys.stdout.write(json.dumps(told))


asyncio.run(main())
