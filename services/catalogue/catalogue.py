"""The catalogue: all resources and operations of a gateway, validated."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from sqlalchemy import Table

from services.catalogue.declaration import DeclarationError, Location, quoted_names
from services.catalogue.deprecation import Deprecation, deprecations_of
from services.catalogue.identifiers import split_identifier
from services.catalogue.jobs import JobKind
from services.catalogue.models import ResultModel
from services.catalogue.naming import ETAG, EXPECTED, NAME_PATTERN
from services.catalogue.operations import DeletionHook, Kind, Operation
from services.catalogue.problems import Problem
from services.catalogue.resources import Resource, resolve


@dataclass(frozen=True, slots=True)
class HandWritten:
    """A hand-written route or GraphQL field beside the derived ones, with the reason for it."""

    face: str
    address: str
    reason: str


class Catalogue:
    """All resources, operations and kinds of job by name. Raises DeclarationError for an invalid declaration."""

    def __init__(
        self, resources: Iterable[Resource[Any]], operations: Iterable[Operation], seams: Iterable[HandWritten] = (),
        jobs: Iterable[JobKind] = (),
    ) -> None:  # fmt: skip
        self.resources: dict[str, Resource[Any]] = {}
        self.operations: dict[str, Operation] = {}
        self.jobs: dict[str, JobKind] = {}
        self.seams = tuple(seams)
        self._bound: dict[Resource[Any], Resource[Any]] = {}
        for resource in resources:
            self._add_resource(resource)
        self.by_prefix = {resource.prefix: resource for resource in self.resources.values()}
        self.by_model = {resource.model: resource for resource in self.resources.values()}
        self._resolve_relations()
        for operation in operations:
            self._add_operation(operation)
        for job in jobs:
            if job.name in self.jobs:
                location = self.jobs[job.name].location
                raise job.fault(f"the job at {location} has this name already.", "Give it another name.")
            self.jobs[job.name] = job
        self.scopes = tuple(sorted({operation.scope for operation in self.operations.values() if operation.scope}))

    @classmethod
    def load(cls, modules: Iterable[str]) -> Catalogue:
        """Return the catalogue of the declarations in packages' `resource.py`, `operations.py` and `jobs.py`."""
        found = [value for package in modules for module in _declarations(package) for value in vars(module).values()]
        declared = {id(value): value for value in found}.values()
        return cls(
            [value for value in declared if isinstance(value, Resource)],
            [value for value in declared if isinstance(value, Operation)],
            [value for value in declared if isinstance(value, HandWritten)],
            [value for value in declared if isinstance(value, JobKind)],
        )

    def resource_of(self, identifier: str) -> tuple[Resource[Any], Any] | None:
        """Return the resource and the key that a public identifier names, or None."""
        parts = split_identifier(identifier)
        if parts is None or parts[0] not in self.by_prefix:
            return None
        return self.by_prefix[parts[0]], parts[1]

    def locate(self, identifier: str, path: tuple[str | int, ...] = ("id",)) -> tuple[Resource[Any], Any]:
        """Return the same. Raises `validation_failed` with the path if it names no resource that is known here."""
        located = self.resource_of(identifier)
        if located is None:
            raise Problem.field(path, "format", "This is not an identifier of any resource here.")
        return located

    def get_of(self, resource: Resource[Any]) -> Operation | None:
        """Return the operation that gets one row of a resource by its identifier."""
        operations = (operation for operation in self.operations.values() if operation.resource is resource)
        return next((operation for operation in operations if operation.kind is Kind.GET and operation.on_a_row), None)

    def gone(self, resource: Resource[Any]) -> DeletionHook | None:
        """Return the callback that is notified of deleted rows of a resource."""
        operations = (operation for operation in self.operations.values() if operation.resource is resource)
        return next((operation.gone for operation in operations if operation.gone is not None), None)

    def deprecations(self) -> Mapping[str, Deprecation]:
        """Return every deprecation by what it is of: `get_item`, `create_item.title` (of the input), `item.title`."""
        operations = self.operations.values()
        by_name = {operation.name: operation.deprecated for operation in operations if operation.deprecated is not None}
        models: list[tuple[str, type[Any]]] = [(each.name, each.input) for each in operations if each.input is not None]
        models += [(resource.name, resource.read) for resource in self.resources.values()]
        for name, model in models:
            by_name |= {f"{name}.{field}": deprecation for field, deprecation in deprecations_of(model).items()}
        return by_name

    def _add_resource(self, resource: Resource[Any]) -> None:
        for existing in self.resources.values():
            for attribute in ("name", "plural", "prefix", "table"):
                if getattr(existing, attribute) == getattr(resource, attribute):
                    value = getattr(resource, attribute)
                    raise resource.fault(
                        f'its {attribute} "{value}" is that of the resource at {existing.location} already.',
                        f"Give it another {attribute}.",
                    )
        if not NAME_PATTERN.fullmatch(resource.name):
            raise resource.fault("the name is not lower-case words joined by underscores.", "Choose another name.")
        if resource.name == resource.plural:
            raise resource.fault(
                f'its plural is "{resource.name}" too.', "Give one and many different names: plural=…."
            )
        # The relations of the copy are those of this catalogue; another catalogue may have other resources.
        self._bound[resource] = self.resources[resource.name] = bound = copy(resource)
        bound.relations = {}

    def _resolve_relations(self) -> None:
        by_table: dict[Table, Resource[Any]] = {resource.table: resource for resource in self.resources.values()}
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

    def _add_operation(self, operation: Operation) -> None:
        if operation.name in self.operations:
            location = self.operations[operation.name].location
            raise operation.fault(f"the operation at {location} has this name already.", "Give it another name.")
        if operation.resource is not None and operation.resource not in self._bound:
            raise operation.fault(
                f'its resource "{operation.resource.name}" is not in the catalogue.', "Add its package to MODULES."
            )
        if operation.on_a_row and operation.input is not None and EXPECTED in operation.input.model_fields:
            raise operation.fault(
                f"{operation.input.__name__}.{EXPECTED} has the name of what GraphQL takes beside the input.",
                "Give the field another name.",
            )
        for existing in self.operations.values():
            if _endpoint(existing) == _endpoint(operation):
                raise operation.fault(
                    f'its address "{operation.address}" is that of {existing.name} already.', "Pass address=…."
                )
        for entry in operation.entries.values():
            if entry.name not in self.operations or self.operations[entry.name].location != entry.location:
                raise operation.fault(f"{entry.name} is not in the catalogue.", "Declare it in operations.py.")
        entries = {verb: self.operations[entry.name] for verb, entry in operation.entries.items()}
        resource = self._bound[operation.resource] if operation.resource is not None else None
        result = self._result(operation, resource)
        self.operations[operation.name] = replace(operation, resource=resource, result=result, entries=entries)

    def _result(self, operation: Operation, resource: Resource[Any] | None) -> Resource[Any] | type[ResultModel] | None:
        returned = operation.returns
        if operation.function is None:
            return None if operation.kind in (Kind.DELETE, Kind.BATCH) else resource
        if returned is type(None):
            return None
        if returned in self.by_model:
            return self.by_model[returned]
        if isinstance(returned, type) and issubclass(returned, ResultModel):
            return returned
        raise operation.fault(
            f"it returns {getattr(returned, '__name__', returned)}, which neither face can show.",
            f"Return a ResultModel, None, or a model of: {quoted_names(self.resources)}.",
        )


_METHODS = {Kind.LIST: "read", Kind.GET: "read", Kind.UPDATE: "update", Kind.DELETE: "delete"}


def _endpoint(operation: Operation) -> tuple[str, str]:
    return operation.address, _METHODS.get(operation.kind, "post")


def _declarations(package: str) -> Iterable[ModuleType]:
    location = Location("MODULES", 0)
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or not (package == error.name or package.startswith(f"{error.name}.")):
            raise
        raise DeclarationError(location, f'there is no package "{package}".', "Correct the setting MODULES.") from None
    names = [f"{package}.{name}" for name in ("resource", "operations", "jobs")]
    names = [name for name in names if importlib.util.find_spec(name) is not None]
    if not names:
        raise DeclarationError(
            location, f'"{package}" has neither resource.py nor operations.py.', "Correct the setting MODULES."
        )
    return [importlib.import_module(name) for name in names]
