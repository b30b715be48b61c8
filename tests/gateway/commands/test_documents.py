"""`gateway documents`: manifests are registered as a whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import Result

from gateway.settings import Settings
from services.documents.registering import NewDocument, RefusedDocumentsError, add_documents
from services.documents.trusted import TrustedDocuments
from services.storage.database import Database
from tests.support.databases import empty_database, run_sql
from tests.support.documents import ME, hash_of
from tests.support.programs import gateway_command

Command = Callable[..., Result]
ITEMS = "query Items($first: Int) { items(first: $first) { nodes { id } } }"
LOGOUT = "mutation Logout { logout { ok } }"
RELAY_ID = "7f3b1a0c5f9d4b7e8a1c2d3e4f5a6b7c"


@pytest.fixture
async def documents(settings: Settings) -> AsyncIterator[Command]:
    """`gateway documents …` on the worker's database, whose documents are gone afterwards."""
    env = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key}
    yield lambda *arguments: gateway_command("documents", *map(str, arguments), env=env)
    await run_sql(settings.database_url, "delete from trusted_documents")


async def said(command: Command, *arguments: Any) -> str:
    done = await asyncio.to_thread(command, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


async def refusal(command: Command, *arguments: Any) -> list[str]:
    done = await asyncio.to_thread(command, *arguments)
    assert done.exit_code == 1, done.output
    assert "Traceback" not in done.output
    return done.stderr.splitlines()


async def registered(settings: Settings) -> dict[object, object]:
    """Texts by identifiers."""
    return {row[0]: row[1] for row in await run_sql(settings.database_url, "select id, text from trusted_documents")}


def relay(path: Path, **documents: str) -> Path:
    """A manifest in Relay's format."""
    path.write_bytes(orjson.dumps(documents))
    return path


def apollo(path: Path, *texts: str, **more: Any) -> Path:
    """A manifest in Apollo's format."""
    operations = [
        {"id": hash_of(text), "name": text.split()[1].partition("(")[0], "type": text.split()[0], "body": text}
        for text in texts
    ]
    whole = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations, **more}
    path.write_bytes(orjson.dumps(whole))
    return path


async def test_manifests_of_both_formats_are_registered_once(
    documents: Command, settings: Settings, tmp_path: Path
) -> None:
    files = [relay(tmp_path / "relay.json", **{RELAY_ID: ME}), apollo(tmp_path / "apollo.json", ITEMS, LOGOUT)]
    assert await said(documents, "add", *files) == "3 registered, 0 known already.\n"
    expected = {RELAY_ID: ME, hash_of(ITEMS): ITEMS, hash_of(LOGOUT): LOGOUT}
    assert await registered(settings) == expected
    assert await said(documents, "add", *files) == "0 registered, 3 known already.\n"
    listed = (await said(documents, "list")).splitlines()
    assert listed == [
        f"{hash_of(ITEMS)}  query  Items",
        f"{hash_of(LOGOUT)}  mutation  Logout",
        f"{RELAY_ID}  query  Me",
    ]
    assert await said(documents, "remove", "Items", RELAY_ID) == "2 removed.\n"
    assert await registered(settings) == {hash_of(LOGOUT): LOGOUT}


async def test_mutation_of_files_is_registered_where_they_are_switched_on(
    documents: Command, settings: Settings, tmp_path: Path
) -> None:
    upload = "mutation Send($file: Upload!) { uploadFile(input: {file: $file}) { file { id } } }"
    file = apollo(tmp_path / "a.json", upload)
    assert "Nothing was registered." in await refusal(documents, "add", file)
    env = {"DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key, "GRAPHQL_UPLOADS": "true"}
    # Another text: what is validated once in this process is taken from there (tests/support/two_paths.py).
    other = apollo(tmp_path / "b.json", upload.replace("Send", "SendOne"))
    added = await said(lambda *told: gateway_command("documents", *map(str, told), env=env), "add", other)
    assert added == "1 registered, 0 known already.\n"


async def test_document_is_published_and_taken_back(documents: Command, settings: Settings, tmp_path: Path) -> None:
    file = apollo(tmp_path / "a.json", ITEMS)
    address = "/api/v1/documents/Items"
    said_at_once = await said(documents, "add", file, "--publish", "Items")
    assert said_at_once == f"1 registered, 0 known already.\nItems is at {address}.\n"
    assert await said(documents, "publish", "Items") == "It was published already.\n"
    assert await said(documents, "list") == f"{hash_of(ITEMS)}  query  Items  {address}\n"
    assert await said(documents, "unpublish", "Items") == "Items has no address any more.\n"
    assert await said(documents, "publish", hash_of(ITEMS)) == f"Items is at {address}.\n"


async def test_name_with_another_text_is_refused_unless_both_are_wanted(
    documents: Command, settings: Settings, tmp_path: Path
) -> None:
    newer = ITEMS.replace("{ id }", "{ id title }")
    await said(documents, "add", apollo(tmp_path / "a.json", ITEMS), "--publish", "Items")
    file = apollo(tmp_path / "b.json", newer, LOGOUT)
    taken = f"Items ({hash_of(newer)}): the name is that of another text already; --beside keeps both."
    assert await refusal(documents, "add", file) == [taken, "Nothing was changed."]
    assert await registered(settings) == {hash_of(ITEMS): ITEMS}

    assert await said(documents, "add", file, "--beside") == "2 registered, 0 known already.\n"
    (sentence, _) = await refusal(documents, "publish", "Items")
    assert sentence.startswith("Items is the name of several documents: say which of ")
    await said(documents, "publish", hash_of(newer))
    query = "select text from trusted_documents where published"
    assert await run_sql(settings.database_url, query) == [(newer,)]
    assert await said(documents, "remove", "Items") == "2 removed.\n"


async def test_one_broken_manifest_keeps_all_from_being_registered(
    documents: Command, settings: Settings, tmp_path: Path
) -> None:
    good, missing = apollo(tmp_path / "good.json", ITEMS), tmp_path / "missing.json"
    bad = relay(tmp_path / "bad.json", syntax="query {", unknown="query U { zzz }", good=ME)
    assert await refusal(documents, "add", good, bad, missing) == [
        f"{bad}: syntax: Syntax Error: Expected Name, found <EOF>.",
        f"{bad}: unknown: Cannot query field 'zzz' on type 'Query'.",
        f"{missing}: No such file or directory.",
        "Nothing was registered.",
    ]
    assert await registered(settings) == {}


async def test_what_cannot_be_published_is_not_registered(
    documents: Command, settings: Settings, tmp_path: Path
) -> None:
    file = apollo(tmp_path / "a.json", LOGOUT)
    sentence = "Only a document with one operation, a query that has a name, can be published."
    assert await refusal(documents, "add", file, "--publish", "Logout") == [
        f"Logout cannot be published: {sentence}", "Nothing was changed.",
    ]  # fmt: skip
    assert await refusal(documents, "add", file, "--publish", "Nothing") == [
        "Nothing: there is no document of this name to publish.", "Nothing was changed.",
    ]  # fmt: skip
    assert await registered(settings) == {}


@pytest.mark.parametrize("command", ["remove", "publish", "unpublish"])
async def test_unknown_name_is_told(documents: Command, settings: Settings, tmp_path: Path, command: str) -> None:
    await said(documents, "add", apollo(tmp_path / "a.json", ME))
    names = ["Me", "You"] if command == "remove" else ["You"]
    assert await refusal(documents, command, *names) == ["There is no document You.", "Nothing was changed."]
    assert await registered(settings) == {hash_of(ME): ME}


async def test_document_that_the_schema_has_left_behind_is_listed_as_such(
    documents: Command, settings: Settings
) -> None:
    text = "query Gone { gone }"
    database = Database(settings.database, pool_size=1)
    await add_documents(database, [NewDocument("gone", "Gone", "query", text)])
    await database.close()
    assert "does not fit the schema any more" in await said(documents, "list")


async def test_database_that_is_not_migrated_is_told(settings: Settings, tmp_path: Path) -> None:
    async with empty_database(settings) as url:
        env = {"DATABASE_URL": url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key}
        done = await asyncio.to_thread(gateway_command, "documents", "remove", "Me", env=env)
    expected = "The database is not at the newest version: run `gateway migrate`.\n"
    assert (done.exit_code, done.stderr) == (1, expected)


@pytest.mark.usefixtures("documents")
async def test_of_two_additions_at_once_one_has_the_name(settings: Settings) -> None:
    """Either all of one and nothing of the other, or the other way round; equal ones both succeed."""
    database = Database(settings.database, pool_size=4)
    texts = [f"query Raced {{ me {{ {field} }} }}" for field in ("id", "username", "email")]
    manifests = [
        [NewDocument(hash_of(text), "Raced", "query", text), NewDocument(f"beside-{index}", None, "query", "{ a }")]
        for index, text in enumerate(texts)
    ]
    try:
        done = await asyncio.gather(
            *(add_documents(database, each) for each in manifests), return_exceptions=True
        )  # fmt: skip
        refused = [each for each in done if isinstance(each, RefusedDocumentsError)]
        assert len(refused) == 2, done
        (winner,) = [index for index, each in enumerate(done) if not isinstance(each, BaseException)]
        assert set(await registered(settings)) == {each.id for each in manifests[winner]}
        again = await asyncio.gather(*(add_documents(database, manifests[winner]) for _ in range(3)))
        assert [len(added) for added, _ in again] == [0, 0, 0]
    finally:
        await database.close()


async def test_worker_goes_on_with_what_it_knows_while_postgresql_is_away(
    documents: Command, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await said(documents, "add", apollo(tmp_path / "a.json", ME))
    database = Database(settings.database, pool_size=1)
    known = TrustedDocuments(database)
    try:
        assert (await known.current()).texts == {ME}

        def broken(self: Database) -> Any:
            raise OSError("no route")

        monkeypatch.setattr(Database, "reading", broken)
        known._refreshed_at -= 20
        assert (await known.current()).texts == {ME}
        known._refreshed_at -= 20
        from services.catalogue import Problem

        with pytest.raises(Problem) as raised:
            await known.current()
        assert raised.value.type.code == "unavailable"
    finally:
        await known.close()
        await database.close()
