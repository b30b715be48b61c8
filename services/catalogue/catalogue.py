"""The catalogue: all resources and operations of a gateway, checked."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from sqlalchemy import Table

from services.catalogue.declaration import DeclarationError, Location, listing
from services.catalogue.deprecation import Deprecation, deprecations_of
from services.catalogue.identifiers import split_identifier
from services.catalogue.jobs import JobKind
from services.catalogue.models import ResultModel
from services.catalogue.naming import ETAG, EXPECTED
from services.catalogue.operations import Gone, Kind, Operation
from services.catalogue.problems import Problem
from services.catalogue.resolving import resolve
from services.catalogue.resources import Resource

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Seam:
    """A hand-written route or field beside the derived ones, and why it is one."""

    face: str
    address: str
    reason: str


class Catalogue:
    """All resources, operations and kinds of job by name.

    Raises DeclarationError, with place and mend, for whatever does not fit.
    """

    def __init__(
        self, resources: Iterable[Resource[Any]], operations: Iterable[Operation], seams: Iterable[Seam] = (),
        jobs: Iterable[JobKind] = (),
    ) -> None:  # fmt: skip
        self.resources: dict[str, Resource[Any]] = {}
        self.operations: dict[str, Operation] = {}
        self.jobs: dict[str, JobKind] = {}
        self.seams = tuple(seams)
        self._bound: dict[Resource[Any], Resource[Any]] = {}
        for resource in resources:
            self._add_resource(resource)
        self.by_prefix: Mapping[str, Resource[Any]] = {each.prefix: each for each in self.resources.values()}
        self.by_model: Mapping[type, Resource[Any]] = {each.model: each for each in self.resources.values()}
        self._resolve_relations()
        for operation in operations:
            self._add_operation(operation)
        self._bind_batches()
        for job in jobs:
            self._add_job(job)
        self.scopes = tuple(sorted({each.scope for each in self.operations.values() if each.scope}))

    @classmethod
    def load(cls, modules: Iterable[str]) -> Catalogue:
        """The catalogue of these packages: whatever their `resource.py`, `operations.py` and `jobs.py` declare."""
        resources: dict[int, Resource[Any]] = {}
        operations: dict[int, Operation] = {}
        jobs: dict[int, JobKind] = {}
        seams: list[Seam] = []
        for package in modules:
            for module in _declarations(package):
                for value in vars(module).values():
                    if isinstance(value, Resource):
                        resources[id(value)] = value
                    elif isinstance(value, Operation):
                        operations[id(value)] = value
                    elif isinstance(value, JobKind):
                        jobs[id(value)] = value
                    elif isinstance(value, Seam):
                        seams.append(value)
        return cls(resources.values(), operations.values(), seams, jobs.values())

    def resource_of(self, identifier: str) -> tuple[Resource[Any], Any] | None:
        """The resource and the key that a public identifier names, or None."""
        found = split_identifier(identifier)
        if found is None or found[0] not in self.by_prefix:
            return None
        return self.by_prefix[found[0]], found[1]

    def locate(self, identifier: str, path: tuple[str | int, ...] = ("id",)) -> tuple[Resource[Any], Any]:
        """As `resource_of`. Raises `validation_failed` naming the path for a malformed or foreign identifier."""
        found = self.resource_of(identifier)
        if found is None:
            raise Problem.field(path, "format", "This is not an identifier of any resource here.")
        return found

    def get_of(self, resource: Resource[Any]) -> Operation | None:
        """The operation that gets one row of a resource by its identifier."""
        return next(
            (o for o in self.operations.values() if o.kind is Kind.GET and o.resource is resource and o.on_a_row), None
        )

    def gone(self, resource: Resource[Any]) -> Gone | None:
        """Who is told of rows of a resource that are deleted."""
        deletions = (each for each in self.operations.values() if each.kind is Kind.DELETE)
        return next((each.gone for each in deletions if each.resource is resource and each.gone is not None), None)

    def deprecations(self) -> Mapping[str, Deprecation]:
        """Whatever is deprecated, by the name it is counted by.

        `get_item` for an operation, `create_item.title` for a member of its input, `item.title` for a field.
        """
        found: dict[str, Deprecation] = {}
        for operation in self.operations.values():
            if operation.deprecated is not None:
                found[operation.name] = operation.deprecated
            if operation.input is not None:
                found |= {f"{operation.name}.{name}": each for name, each in deprecations_of(operation.input).items()}
        for resource in self.resources.values():
            found |= {f"{resource.name}.{name}": each for name, each in deprecations_of(resource.read).items()}
        return found

    def _add_resource(self, resource: Resource[Any]) -> None:
        for other in self.resources.values():
            for what in ("name", "plural", "prefix", "table"):
                if getattr(other, what) == getattr(resource, what):
                    shown = getattr(resource, what)
                    raise resource.fault(
                        f'its {what} "{shown}" is that of the resource at {other.location} already.',
                        f"Give it another {what}.",
                    )
        if not _NAME.fullmatch(resource.name):
            raise resource.fault("the name is not lower-case words joined by underscores.", "Choose another name.")
        if resource.name == resource.plural:
            raise resource.fault(
                f'its plural is "{resource.name}" too.', "Give one and many different names: plural=…."
            )
        # A copy, whose relations are those of this catalogue: another one may know other resources.
        self._bound[resource] = self.resources[resource.name] = resource.unrelated()

    def _resolve_relations(self) -> None:
        by_table: dict[Table, Resource[Any]] = {each.table: each for each in self.resources.values()}
        for resource in self.resources.values():
            for declaration in resource.declared_relations:
                for relation in resolve(declaration, resource, by_table):
                    taken = {*relation.source.relations, *relation.source.fields, ETAG}
                    if relation.name in taken:
                        raise DeclarationError(
                            declaration.location,
                            f'{relation.source.name}: there is a field or relation "{relation.name}" already.',
                            "Give the relation, or its reverse, another name.",
                        )
                    relation.source.relations[relation.name] = relation
            self._check_references(resource, by_table)

    def _check_references(self, resource: Resource[Any], by_table: dict[Table, Resource[Any]]) -> None:
        """An identifier's prefix must be that of the table its foreign key points at."""
        for relation in resource.relations.values():
            kind = resource.fields.get(relation.local)
            if relation.many or kind is None:
                continue
            prefix = kind.identifier.prefix if kind.identifier else None
            if prefix != relation.target.prefix:
                raise resource.fault(
                    f'the field "{relation.local}" has the prefix "{prefix}", but points at {relation.target.plural}.',
                    f'Use the identifier with the prefix "{relation.target.prefix}".',
                )

    def _add_operation(self, operation: Operation) -> None:
        other = self.operations.get(operation.name)
        if other is not None:
            raise operation.fault(f"the operation at {other.location} has this name already.", "Give it another name.")
        if operation.resource is not None and operation.resource not in self._bound:
            raise operation.fault(
                f'its resource "{operation.resource.name}" is not in the catalogue.', "Add its package to MODULES."
            )
        if operation.on_a_row and operation.input is not None and EXPECTED in operation.input.model_fields:
            raise operation.fault(
                f"{operation.input.__name__}.{EXPECTED} has the name of what GraphQL takes beside the input.",
                "Give the field another name.",
            )
        clash = next((o for o in self.operations.values() if _signature(o) == _signature(operation)), None)
        if clash is not None:
            raise operation.fault(
                f'its address "{operation.address}" is that of {clash.name} already.', "Pass address=…."
            )
        resource = self._bound[operation.resource] if operation.resource is not None else None
        self.operations[operation.name] = replace(
            operation, resource=resource, result=self._result(operation, resource)
        )

    def _add_job(self, job: JobKind) -> None:
        other = self.jobs.get(job.name)
        if other is not None:
            raise job.fault(f"the job at {other.location} has this name already.", "Give it another name.")
        self.jobs[job.name] = job

    def _bind_batches(self) -> None:
        """A batch is made of operations of this catalogue."""
        for batch in [each for each in self.operations.values() if each.entries]:
            for each in batch.entries.values():
                if each.name not in self.operations or self.operations[each.name].location != each.location:
                    raise batch.fault(f"{each.name} is not in the catalogue.", "Declare it in operations.py.")
            entries = {verb: self.operations[each.name] for verb, each in batch.entries.items()}
            self.operations[batch.name] = replace(batch, entries=entries)

    def _result(self, operation: Operation, resource: Resource[Any] | None) -> Resource[Any] | type[ResultModel] | None:
        returned = operation.returns
        if operation.function is None:
            return None if operation.kind in (Kind.DELETE, Kind.BATCH) else resource
        if returned is type(None) or returned is None:
            return None
        if returned in self.by_model:
            return self.by_model[returned]
        if isinstance(returned, type) and issubclass(returned, ResultModel):
            return returned
        raise operation.fault(
            f"it returns {getattr(returned, '__name__', returned)}, which neither face can show.",
            f"Return a ResultModel, None, or a model of: {listing(self.resources)}.",
        )


_READ_KINDS = {Kind.LIST: "read", Kind.GET: "read", Kind.UPDATE: "update", Kind.DELETE: "delete"}


def _signature(operation: Operation) -> tuple[str, str]:
    return operation.address, _READ_KINDS.get(operation.kind, "post")


def _declarations(package: str) -> Iterable[ModuleType]:
    place = Location("MODULES", 0)
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or not (package == error.name or package.startswith(f"{error.name}.")):
            raise
        raise DeclarationError(place, f'there is no package "{package}".', "Correct the setting MODULES.") from None
    names = [n for n in ("resource", "operations", "jobs") if importlib.util.find_spec(f"{package}.{n}") is not None]
    if not names:
        raise DeclarationError(
            place, f'"{package}" has neither resource.py nor operations.py.', "Correct the setting MODULES."
        )
    return [importlib.import_module(f"{package}.{name}") for name in names]
