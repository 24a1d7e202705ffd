"""``gnomon validate``: what is wrong with manifests, before they are committed."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.manifest_files import manifest_files, repository_root
from gnomon.cli.output import Format, Output, print_document
from gnomon.errors import ManifestError, NotFoundError, UsageError
from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import Compiled, ManifestFile, Problem
from gnomon.resources.model import Model
from gnomon.resources.parse import place_in
from gnomon.resources.pipeline import Pipeline
from gnomon.training.candidates import expand


def validate(
    path: Annotated[Path, typer.Argument(help="Folder or file.", show_default="this folder")] = Path(),
    output: Output = Format.TABLE,
) -> None:
    """Check every manifest in a folder, or in one file.

    References are looked up in the whole repository that the path belongs to. Exits with 1 where anything is wrong.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist", "name a folder or a file")
    place = path.resolve()
    root = repository_root(place)
    files = list(manifest_files(root))
    compiled = compile_tree(files)
    asked = [file.path for file in files if (root / file.path).is_relative_to(place)]
    found = (*compiled.problems, *_bad_candidates(compiled, files), *_bad_code(compiled, files, root))
    problems = [problem for problem in found if problem.path in asked]
    resources = sum(declared.path in asked for declared in compiled.declared.values())
    if not resources and not problems:
        raise NotFoundError(f"there are no manifests in {path}", "write one; `gnomon init DIR` makes a whole repository")
    if output in {Format.JSON, Format.YAML}:
        print_document({"resources": resources, "problems": [_document(problem, root) for problem in problems]}, output)
    else:
        for problem in problems:
            typer.echo(str(_shown(problem, root)))
        typer.echo(_summary(resources, problems))
    if problems:
        raise typer.Exit(1)


def _bad_candidates(compiled: Compiled, files: Sequence[ManifestFile]) -> Iterator[Problem]:
    """Yield what only training knows of a model: the parameters that its algorithms take."""
    contents = {file.path: file.content for file in files}
    for key, declared in compiled.declared.items():
        if isinstance(declared.resource, Model):
            try:
                expand(declared.resource.spec)
            except ManifestError as error:
                line, column = place_in(contents[declared.path], declared.line, ("spec", "candidates"))
                yield Problem(declared.path, line, column, error.cause, error.mend, key)


def _bad_code(compiled: Compiled, files: Sequence[ManifestFile], root: Path) -> Iterator[Problem]:
    """Yield what does not fit between pipelines and the code that they name."""
    pipelines = [(key, d, d.resource.spec) for key, d in compiled.declared.items() if isinstance(d.resource, Pipeline)]
    if not pipelines:
        return
    from gnomon.operator.pipeline_code import code_problems  # noqa: PLC0415 - other repositories do not wait for it
    from gnomon.operator.working_folder import WorkingFolder  # noqa: PLC0415 - likewise

    folder = WorkingFolder(root)
    folder.look()
    contents = {file.path: file.content for file in files}
    for key, declared, spec in pipelines:
        for wrong in code_problems(spec, root, folder.tree):
            line, column = place_in(contents[declared.path], declared.line, wrong.path)
            yield Problem(declared.path, line, column, wrong.cause, wrong.mend, key)


def _shown(problem: Problem, root: Path) -> Problem:
    """Return the problem with its path as it is seen from here, so that an editor opens it."""
    path = os.path.relpath(root / problem.path)
    return Problem(path, problem.line, problem.column, problem.cause, problem.mend, problem.key)


def _document(problem: Problem, root: Path) -> dict[str, object]:
    return {
        "path": os.path.relpath(root / problem.path),
        "line": problem.line,
        "column": problem.column,
        "resource": str(problem.key) if problem.key is not None else None,
        "cause": problem.cause,
        "mend": problem.mend,
    }


def _summary(resources: int, problems: Sequence[Problem]) -> str:
    good = f"{resources} resource{'s' if resources != 1 else ''}"
    if not problems:
        return f"{good}, no problems"
    files = len({problem.path for problem in problems})
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''} in {files} file{'s' if files != 1 else ''}"
    return f"{count}; {good} without"
