"""How the world of the proof is made.

By the catalogue's own operations, with values read off their inputs, so that a new resource is in it without anybody
remembering. Only signing up, signing in, workspaces and memberships, which are core, are known by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update

from gateway.parity.world.filling import fields, filled, required
from gateway.parity.world.world import (
    BOUND,
    CLIENT,
    CLOSED,
    EDITORS,
    FOREIGN,
    FULL,
    PASSWORD,
    ROLES,
    SHARED,
    Account,
    Key,
    Row,
    World,
)
from services.catalogue import ANONYMOUS, Actor, Kind, Operation, Problem
from services.catalogue.problems import FORBIDDEN
from services.catalogue.resources import Resource
from services.engine.gateway import Gateway
from services.engine.writes import Write
from services.identity.auth.schemas import TokenPair
from services.identity.auth.tokens import Tokens
from services.identity.users.models import User
from services.storage.base import utc_now

_OTHERS: Final = ("guest", "stranger", "newcomer", "leaver")
_HARMLESS: Final = ("users:read", "workspaces:read")
"""Scopes of keys that have hardly any; two, since one may be the one that is needed."""
_MEMBERS: Final = ("viewer", "editor", "guest")


async def make_world(gateway: Gateway) -> World:
    """Make it, in an empty database."""
    world = World(gateway.catalogue, gateway.cursors, gateway.part(Tokens), utc_now())
    maker = _Maker(gateway, world)
    for role in (*ROLES, *_OTHERS):
        await maker.account(role)
    await maker.workspaces()
    await maker.key("owner", BOUND, sorted(gateway.catalogue.scopes), workspace_id=world.rows["workspace"][SHARED].id)
    for operation in maker.makeable():
        await maker.rows(operation)
    await maker.refer()
    await maker.find_rows()
    return world


@dataclass(slots=True)
class _Maker:
    gateway: Gateway
    world: World
    _everything: Actor = field(init=False)

    def __post_init__(self) -> None:
        self._everything = Actor(UUID(int=1), scopes=frozenset(self.world.catalogue.scopes), is_admin=True)

    async def account(self, role: str) -> None:
        """Sign somebody up and in."""
        data = {"email": f"{role}@example.com", "username": role, "full_name": f"The {role}", "password": PASSWORD}
        user = await self._write("create_user", ANONYMOUS, data)
        if role == "admin":
            async with self.gateway.database.unit_of_work() as session:
                await session.execute(update(User).where(User.id == user["id"]).values(is_superuser=True))
                await session.commit()
        pair = await self._write("login", ANONYMOUS, {"username": role, "password": PASSWORD})
        assert isinstance(pair, TokenPair)
        claims = self.world.tokens.verify(pair.access_token, "access")
        actor = Actor(claims.user_id, claims.session_id, claims.scopes, is_admin=role == "admin")
        users = self.world.catalogue.by_model[User]
        self.world.accounts[role] = Account(
            role, users.encode(user["id"]), role, actor, pair.access_token, pair.refresh_token
        )
        if role in ROLES:
            await self.key(role, FULL, sorted(actor.scopes))
            for scope in _HARMLESS:
                await self.key(role, scope, [scope])

    async def key(self, role: str, name: str, scopes: list[str], **more: Any) -> None:
        """Make an API key for somebody, where there are API keys."""
        if "create_api_key" not in self.world.catalogue.operations:
            return
        account = self.world.accounts[role]
        made = await self._write("create_api_key", account.actor, {"name": name, "scopes": scopes, **more})
        bound = self.world.rows["workspace"][SHARED].key if more else None
        actor = replace(
            account.actor, session_id=None, scopes=frozenset(scopes), key_id=made.id, workspace_id=bound,
            is_admin=account.actor.is_admin and bound is None,
        )  # fmt: skip
        account.keys[name] = Key(made.secret, actor)

    async def workspaces(self) -> None:
        """The shared workspace with its members, and the foreign one; users and memberships are rows, too."""
        accounts, rows = self.world.accounts, self.world.rows
        for target, maker in ((SHARED, "owner"), (FOREIGN, "stranger")):
            made = await self._write(
                "create_workspace", accounts[maker].actor, {"name": f"Of {maker}", "slug": f"of-{maker}"}
            )
            await self._keep("workspace", target, made["id"])
            for role in _MEMBERS if target == SHARED else ("guest",):
                data = {"workspace_id": rows["workspace"][target].id, "username": role}
                data["role"] = role if role != "guest" else "viewer"
                member = await self._write("create_membership", accounts[maker].actor, data)
                # The guest, who comes last, is called about.
                await self._keep("membership", target, member["id"])
        users, leaver = self.world.catalogue.by_model[User], accounts["leaver"].actor
        close = self.world.catalogue.operations["deactivate_user"]
        await self.gateway.write(close, leaver, Write(leaver.user_id), CLIENT)
        for target, role in ((SHARED, "guest"), (FOREIGN, "stranger"), (CLOSED, "leaver")):
            await self._keep(users.name, target, accounts[role].actor.user_id)

    def makeable(self) -> list[Operation]:
        """The operations that make the other resources, those first to whose rows others refer."""
        catalogue = self.world.catalogue
        waiting = [
            each
            for each in catalogue.operations.values()
            if each.kind is Kind.CREATE and each.resource is not None and each.resource.name not in self.world.rows
        ]
        found: list[Operation] = []
        while waiting:
            unmade = {each.resource.prefix for each in waiting if each.resource is not None}
            ready = [each for each in waiting if not _prefixes(each) & unmade] or waiting[:1]
            found += ready
            waiting = [each for each in waiting if each not in ready]
        return found

    async def rows(self, operation: Operation) -> None:
        """A row by each of the makers, who may not be allowed to make one."""
        resource = operation.resource
        assert resource is not None
        for target, role in ((SHARED, "owner"), (EDITORS, "editor"), (FOREIGN, "stranger")):
            place = FOREIGN if target == FOREIGN else SHARED
            # A row that refers to one of its kind would be in the way of calls that turn this round.
            own = [each for each in fields(operation) if resource.prefix not in _prefix(each)]
            fault = ""
            for some in (own, required(operation)):
                try:
                    data = filled(self.world, operation, role, place, some)
                    made = await self._write(operation.name, self.world.accounts[role].actor, data)
                except Problem as error:
                    # What only owners make, there is none of the editor's.
                    allowed = error.type is not FORBIDDEN or target != EDITORS
                    fault = f"{operation.name} as {role}: {error}" if allowed else ""
                else:
                    await self._keep(resource.name, target, made["id"] if isinstance(made, dict) else made.id)
                    break
            else:
                if fault:
                    self.world.unmade.append(fault)

    async def refer(self) -> None:
        """Let the stranger's account refer to foreign rows that were made after it, as to its picture."""
        users = self.world.catalogue.by_model[User]
        stranger = self.world.accounts["stranger"].actor.user_id
        for name, kind in users.fields.items():
            if kind.identifier is None or name == "id":
                continue
            target = self.world.catalogue.by_prefix.get(kind.identifier.prefix)
            made = self.world.rows.get(target.name, {}).get(FOREIGN) if target is not None else None
            if made is not None:
                async with self.gateway.database.unit_of_work() as session:
                    await session.execute(update(User).where(User.id == stranger).values({name: made.key}))
                    await session.commit()
        await self._keep(users.name, FOREIGN, stranger)

    async def find_rows(self) -> None:
        """Rows that came with accounts, by the account they refer to; accounts themselves are their own."""
        for resource in self.world.catalogue.resources.values():
            made = resource.name in self.world.rows
            if made and resource.model is not User:
                continue
            for role in (*ROLES, "guest", "stranger"):
                key = await self._key_of(resource, role)
                if key is None:
                    continue
                row = await self._read(resource, key)
                if role in ROLES:
                    self.world.own[resource.name, role] = row
                elif not made:
                    target = SHARED if role == "guest" else FOREIGN
                    self.world.rows.setdefault(resource.name, {})[target] = row

    async def _key_of(self, resource: Resource[Any], role: str) -> UUID | None:
        user_id = self.world.accounts[role].actor.user_id
        if resource.model is User:
            return user_id
        users = self.world.catalogue.by_model[User].table
        columns = [each for each in resource.table.columns if any(k.column.table is users for k in each.foreign_keys)]
        if not columns:
            return None
        keys = resource.table.c.id
        statement = select(keys).where(columns[0] == user_id).order_by(keys).limit(1)
        async with self.gateway.database.reading() as session:
            found: UUID | None = (await session.execute(statement)).scalar_one_or_none()
        return found

    async def _write(self, name: str, actor: Actor, data: dict[str, Any]) -> Any:
        operation = self.world.catalogue.operations[name]
        return await self.gateway.write(operation, actor, Write(data=data), CLIENT)

    async def _keep(self, name: str, target: str, key: UUID | None) -> None:
        assert key is not None
        resource = self.world.catalogue.resources[name]
        self.world.rows.setdefault(name, {})[target] = await self._read(resource, key)

    async def _read(self, resource: Resource[Any], key: UUID) -> Row:
        async with self.gateway.records(self._everything) as records:
            record = await records.get(resource, key)
        assert record is not None
        values = {name: resource.serialise(name, record[name]) for name in resource.fields}
        return Row(resource.encode(key), key, values)


def _prefix(field: Any) -> set[str]:
    return {field.kind.identifier.prefix} if field.kind.identifier is not None else set()


def _prefixes(operation: Operation) -> set[str]:
    """Of the other resources that an input refers to."""
    own = operation.resource.prefix if operation.resource is not None else ""
    return {prefix for each in fields(operation) for prefix in _prefix(each)} - {own}
