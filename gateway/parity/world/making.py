"""Make the world of the proof by calling the catalogue's own operations with values read off their inputs.

A new resource is included without further code. Only the core's operations for signing up, signing in, workspaces and
memberships are known by name.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update

from gateway.parity.world.values import fields, filled, required
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
    resource_of,
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
_NARROW_SCOPES: Final = ("users:read", "workspaces:read")
"""The scopes of keys that have a single one; two, since a call may need one of them."""
_MEMBERS: Final = (("viewer", "viewer"), ("editor", "editor"), ("guest", "viewer"))


async def make_world(gateway: Gateway) -> World:
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

    async def account(self, role: str) -> None:
        data = {"email": f"{role}@example.com", "username": role, "full_name": f"The {role}", "password": PASSWORD}
        user = await self._write("create_user", ANONYMOUS, data)
        if role == "admin":
            await self._update_user(user["id"], is_superuser=True)
        pair = await self._write("login", ANONYMOUS, {"username": role, "password": PASSWORD})
        assert isinstance(pair, TokenPair)
        claims = self.world.tokens.verify(pair.access_token, "access")
        actor = Actor(claims.user_id, claims.session_id, claims.scopes, is_admin=role == "admin")
        self.world.accounts[role] = Account(actor, pair.access_token, pair.refresh_token)
        if role in ROLES:
            await self.key(role, FULL, sorted(actor.scopes))
            for scope in _NARROW_SCOPES:
                await self.key(role, scope, [scope])

    async def key(self, role: str, name: str, scopes: list[str], **more: Any) -> None:
        """Make an API key, if the catalogue has API keys; `more` is further input."""
        if "create_api_key" not in self.world.catalogue.operations:
            return
        account = self.world.accounts[role]
        created = await self._write("create_api_key", account.actor, {"name": name, "scopes": scopes, **more})
        bound = self.world.rows["workspace"][SHARED].key if more else None
        actor = replace(
            account.actor, session_id=None, scopes=frozenset(scopes), key_id=created.id, workspace_id=bound,
            is_admin=account.actor.is_admin and bound is None,
        )  # fmt: skip
        account.keys[name] = Key(created.secret, actor)

    async def workspaces(self) -> None:
        """Make the shared workspace with its members, and the foreign one; users and memberships count as rows."""
        accounts, rows = self.world.accounts, self.world.rows
        for target, owner, members in ((SHARED, "owner", _MEMBERS), (FOREIGN, "stranger", _MEMBERS[-1:])):
            workspace = await self._write(
                "create_workspace", accounts[owner].actor, {"name": f"Of {owner}", "slug": f"of-{owner}"}
            )
            await self._keep("workspace", target, workspace["id"])
            for username, role in members:
                data = {"workspace_id": rows["workspace"][target].id, "username": username, "role": role}
                member = await self._write("create_membership", accounts[owner].actor, data)
                # The last one stays: the guest's membership is the row that calls concern.
                await self._keep("membership", target, member["id"])
        leaver = accounts["leaver"].actor
        await self._write("deactivate_user", leaver, key=leaver.user_id)
        for target, role in ((SHARED, "guest"), (FOREIGN, "stranger"), (CLOSED, "leaver")):
            await self._keep(self.world.catalogue.by_model[User].name, target, accounts[role].actor.user_id)

    def makeable(self) -> list[Operation]:
        """Return the operations that create the other resources, each after those whose rows its input refers to."""
        waiting = [
            operation
            for operation in self.world.catalogue.operations.values()
            if operation.kind is Kind.CREATE and resource_of(operation).name not in self.world.rows
        ]
        ordered: list[Operation] = []
        while waiting:
            unmade = {resource_of(operation).prefix for operation in waiting}
            ready = [each for each in waiting if not _references(each) & unmade - {resource_of(each).prefix}]
            ordered += ready or waiting[:1]
            waiting = [operation for operation in waiting if operation not in ordered]
        return ordered

    async def rows(self, operation: Operation) -> None:
        """Make a row as each of the accounts that own rows, those that are not allowed to excepted."""
        for target, role in ((SHARED, "owner"), (EDITORS, "editor"), (FOREIGN, "stranger")):
            try:
                created = await self._created(operation, role, FOREIGN if target == FOREIGN else SHARED)
            except Problem as error:
                # There is no editor's row of a resource that only owners create.
                if error.type is not FORBIDDEN or target != EDITORS:
                    self.world.unmade.append(f"{operation.name} as {role}: {error}")
            else:
                key = created["id"] if isinstance(created, dict) else created.id
                await self._keep(resource_of(operation).name, target, key)

    async def _created(self, operation: Operation, role: str, place: str) -> Any:
        """Create a row with all fields, or else with the required ones. Raises Problems."""
        actor, own = self.world.accounts[role].actor, resource_of(operation).prefix
        # A reference to a row of the same resource would get in the way of calls that make one the other way round.
        without_own = [field for field in fields(operation) if field.prefix != own]
        with suppress(Problem):
            return await self._write(operation.name, actor, filled(self.world, operation, role, place, without_own))
        data = filled(self.world, operation, role, place, required(operation))
        return await self._write(operation.name, actor, data)

    async def refer(self) -> None:
        """Let the stranger's account refer to foreign rows that were made after it, such as its picture."""
        users = self.world.catalogue.by_model[User]
        stranger = self.world.accounts["stranger"].actor.user_id
        assert stranger is not None
        for name, kind in users.fields.items():
            target = self.world.catalogue.by_prefix.get(kind.identifier.prefix) if kind.identifier is not None else None
            row = self.world.row(target, FOREIGN) if target is not None and name != "id" else None
            if row is not None:
                await self._update_user(stranger, **{name: row.key})
        await self._keep(users.name, FOREIGN, stranger)

    async def find_rows(self) -> None:
        """Find the rows that accounts came with, by their reference to the account; a user's own row is the account."""
        for resource in self.world.catalogue.resources.values():
            is_made = resource.name in self.world.rows
            if is_made and resource.model is not User:
                continue
            for role in (*ROLES, "guest", "stranger"):
                user_id = self.world.accounts[role].actor.user_id
                key = user_id if resource.model is User else await self._first_of(resource, user_id)
                if key is None:
                    continue
                if role in ROLES:
                    self.world.own[resource.name, role] = await self._read(resource, key)
                elif not is_made:
                    await self._keep(resource.name, SHARED if role == "guest" else FOREIGN, key)

    async def _first_of(self, resource: Resource[Any], user_id: UUID | None) -> UUID | None:
        users, key = self.world.catalogue.by_model[User].table, resource.table.c.id
        for column in resource.table.columns:
            if any(foreign.column.table is users for foreign in column.foreign_keys):
                async with self.gateway.database.reading() as session:
                    first: UUID | None = await session.scalar(
                        select(key).where(column == user_id).order_by(key).limit(1)
                    )
                return first
        return None

    async def _update_user(self, user_id: UUID, **values: Any) -> None:
        async with self.gateway.database.unit_of_work() as session:
            await session.execute(update(User).where(User.id == user_id).values(values))
            await session.commit()

    async def _write(self, name: str, actor: Actor, data: dict[str, Any] | None = None, key: UUID | None = None) -> Any:
        admitted = await self.gateway.admit(self.world.catalogue.operations[name], actor, CLIENT)
        return await self.gateway.write(admitted, Write(key, data))

    async def _keep(self, name: str, target: str, key: UUID | None) -> None:
        assert key is not None
        resource = self.world.catalogue.resources[name]
        self.world.rows.setdefault(name, {})[target] = await self._read(resource, key)

    async def _read(self, resource: Resource[Any], key: UUID) -> Row:
        admin = Actor(UUID(int=1), scopes=frozenset(self.world.catalogue.scopes), is_admin=True)
        async with self.gateway.records(admin) as records:
            record = await records.get(resource, key)
        assert record is not None
        values = {name: resource.serialise(name, record[name]) for name in resource.fields}
        return Row(resource.encode(key), key, values)


def _references(operation: Operation) -> set[str]:
    return {field.prefix for field in fields(operation) if field.prefix}
