"""What the steps of declared pipelines come to in a commit: read once for each commit, beside the loop."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gnomon.data.sources import path_matcher
from gnomon.errors import GnomonError
from gnomon.operator.checkouts import Checkouts, code_files
from gnomon.operator.model_code import checkout_of, read_model_code
from gnomon.operator.pipeline_parts import PipelineCode
from gnomon.pipeline import environments
from gnomon.pipeline.closure import Closures
from gnomon.pipeline.commands import command_closure
from gnomon.pipeline.dag import FunctionRef
from gnomon.pipeline.declared import BoundStep, bind, named_files
from gnomon.resources.canonical import canonical_json
from gnomon.resources.compiled import Compiled
from gnomon.resources.identity import ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline, PipelineSpec
from gnomon.resources.violation import Violation
from gnomon.resources.wording import dotted
from gnomon.stores.repositories.interface import TreeEntry

_IS_GLOB = re.compile(r"[*?\[]")


@dataclass
class PipelineReader:
    """Reads the code of pipelines from checkouts; what has not changed since the last commit is not read again."""

    checkouts: Checkouts
    needed: Callable[[], frozenset[str]]
    """Returns the names of the checkouts that runs under way still need."""
    _before: Mapping[ResourceKey, tuple[object, PipelineCode]] = field(default_factory=dict, init=False)

    def read(self, compiled: Compiled, tree: Sequence[TreeEntry]) -> Mapping[ResourceKey, PipelineCode]:
        """Return what each declared pipeline and each model's functions come to, and forget checkouts that nobody needs.

        Raises:
            StoreError: The code cannot be written to the home.
            RepositoryError: It cannot be read from the mirror.
        """
        pipelines = {key: d for key, d in compiled.declared.items() if isinstance(d.resource, Pipeline)}
        found: dict[ResourceKey, tuple[object, PipelineCode]] = {}
        for key, declared in pipelines.items():
            if not isinstance(declared.resource, Pipeline):
                continue
            spec = declared.resource.spec
            root = self.checkouts.of(code_files(tree, _named(spec)))
            name = (declared.spec_digest, root, tuple(_chosen(spec, tree).items()), _watched(spec, tree))
            before = self._before.get(key)
            found[key] = before if before is not None and before[0] == name else (name, read_code(spec, root, tree))
        for key, declared in compiled.declared.items():
            if isinstance(declared.resource, Model) and declared.resource.spec.functions:
                root = checkout_of(self.checkouts, tree)
                spoken: object = (declared.spec_digest, root)
                before = self._before.get(key)
                is_same = before is not None and before[0] == spoken
                code = before[1] if before is not None and is_same else read_model_code(declared.resource.spec, root)
                found[key] = (spoken, code)
        # A run of the commit before may begin at this moment, and be recorded a moment later.
        kept = {code.checkout for _, code in (*self._before.values(), *found.values())}
        self._before = found
        self.checkouts.collect(kept | self.needed())
        return {key: code for key, (_, code) in found.items()}


def read_code(spec: PipelineSpec, root: Path, tree: Sequence[TreeEntry]) -> PipelineCode:
    """Return what the steps of one pipeline come to, from a folder that holds its code.

    Args:
        spec: What is declared.
        root: The folder.
        tree: The files of the commit, by name and blob.
    """
    closures = Closures()
    code = PipelineCode(root.name, _watched(spec, tree), inputs=_chosen(spec, tree))
    problems = list(code_problems(spec, root, tree))
    if problems:
        text = "; ".join(f"{problem.cause} ({problem.mend})" for problem in problems)
        return replace(code, error=text)
    bound, _ = bind(spec, root)
    try:
        environment = environments.declared(root, spec.environment) if spec.environment is not None else None
        # What is installed in an environment of its own is known when it is built; its declaration stands for it here.
        search = None if environment is None else ()
        steps = {each.declared.name: _work_digest(each, closures, search) for each in bound}
    except GnomonError as error:
        return replace(code, error=str(error))
    digest = environment.digest if environment is not None else ""
    values = {each.declared.name: _digest(_values(each)) for each in bound}
    return replace(code, steps=steps, values=values, environment=digest, limits=_digest(_limits(spec)))


def codes_in(root: Path, compiled: Compiled, tree: Sequence[TreeEntry]) -> dict[ResourceKey, PipelineCode]:
    """Return what each pipeline and each model's functions of a folder come to, as the folder is now."""
    declared = [(key, each.resource) for key, each in compiled.declared.items()]
    models = {
        key: read_model_code(resource.spec, root)
        for key, resource in declared
        if isinstance(resource, Model) and resource.spec.functions
    }
    return models | {key: read_code(resource.spec, root, tree) for key, resource in declared if isinstance(resource, Pipeline)}


def code_problems(spec: PipelineSpec, root: Path, tree: Sequence[TreeEntry]) -> Iterator[Violation]:
    """Yield everything that is wrong between a pipeline and the files that it names."""
    yield from bind(spec, root)[1]
    paths = {entry.path for entry in tree}
    if spec.environment is not None and spec.environment not in paths:
        yield Violation(("spec", "environment"), f"there is no file {spec.environment}", "commit it, or correct the path")
    for name, blobs in _chosen(spec, tree).items():
        pattern = spec.inputs[name].files
        if not blobs:
            path = ("spec", "inputs", name, "files")
            yield Violation(path, f"{dotted(path)}, {pattern}, matches no file of the commit", "commit one, or correct it")


def is_pattern(text: str) -> bool:
    """Return whether a path is a glob, which stands for any number of files."""
    return _IS_GLOB.search(text) is not None


def _named(spec: PipelineSpec) -> frozenset[str]:
    try:
        return named_files(spec)
    except GnomonError:
        return frozenset()  # A command that cannot be read is told by ``bind``.


def _chosen(spec: PipelineSpec, tree: Sequence[TreeEntry]) -> dict[str, tuple[str, ...]]:
    """Return the blobs of each input that names files."""
    chosen: dict[str, tuple[str, ...]] = {}
    for name, source in spec.inputs.items():
        if source.files is not None:
            matches = path_matcher(source.files)
            chosen[name] = tuple(entry.blob for entry in tree if entry.mode.startswith("100") and matches(entry.path))
    return chosen


def _watched(spec: PipelineSpec, tree: Sequence[TreeEntry]) -> str:
    """Return a digest of the files whose changes start a run; empty where every change does."""
    patterns = [path for trigger in spec.triggers or () if trigger.commit is not None for path in trigger.commit.paths]
    if not patterns:
        return ""
    matchers = [path_matcher(pattern) for pattern in patterns]
    return _digest([[e.path, e.blob] for e in tree if any(matches(e.path) for matches in matchers)])


def _work_digest(bound: BoundStep, closures: Closures, search: tuple[str, ...] | None) -> str:
    if isinstance(bound.work, FunctionRef):
        return closures.of(bound.work, search).digest
    return command_closure(bound.work).digest


def _values(bound: BoundStep) -> list[object]:
    """Return what besides code decides the result of a step: values, and where it takes the others from."""
    declared = bound.declared
    results = {name: [each.step, each.item] for name, each in bound.results.items()}
    return [dict(bound.params), results, dict(bound.inputs), declared.seed, list(declared.result_names), list(declared.secrets)]


def _limits(spec: PipelineSpec) -> list[object]:
    kept = {"timeout", "memory", "gpu", "retry"}
    return [step.model_dump(mode="json", include=kept) for step in spec.steps]


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()
