"""``gnomon infer``: a schema to review, proposed from what the rows hold."""

import re
import tempfile
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from gnomon.cli.manifest_files import manifest_files, repository_root
from gnomon.data.reading import scan
from gnomon.data.schema import infer_columns
from gnomon.data.snapshot import TakenSnapshot, take_snapshot
from gnomon.data.sources import list_files, on_machine
from gnomon.errors import NotFoundError, UsageError
from gnomon.resources.compile import compile_tree
from gnomon.resources.dataset import FORMAT_SUFFIXES, Column, Dataset, DatasetSpec, Source
from gnomon.stores.objects.disk import DiskObjectStore

_DATA_FILE = re.compile(rf"({'|'.join(map(re.escape, FORMAT_SUFFIXES))})$|[*?\[]", re.IGNORECASE)


def infer(
    what: Annotated[str, typer.Argument(metavar="DATASET|FILE", help="A declared Dataset, or a data file or glob.")],
    repo: Annotated[Path, typer.Option(help="Folder that holds the manifests.", show_default="this folder")] = Path(),
) -> None:
    """Propose a schema for a dataset: types, missing values, bounds, and the values of text columns with few of them.

    Prints YAML to put under `spec`. Files of the repository are read as they lie in the folder, committed or not.
    """
    if Path(what).is_file() or _DATA_FILE.search(what):
        source = Source(files=str(Path(what).absolute()))
    else:
        source = _declared_source(what, repo)
    with tempfile.TemporaryDirectory(prefix="gnomon-infer-") as folder:
        objects = DiskObjectStore(Path(folder))
        taken = take_snapshot(DatasetSpec(source=source), list_files(source, ()), objects, _no_blob)
        rows = scan(taken.snapshot, [objects.path(file.digest) for file in taken.snapshot.files])
        typer.echo(_yaml(infer_columns(taken.snapshot.columns, rows), taken), nl=False)
    for warning in taken.warnings:
        typer.echo(warning, err=True)


def _declared_source(what: str, repo: Path) -> Source:
    """Return the source of a declared Dataset, as files of this machine."""
    if not repo.exists():
        raise UsageError(f"{repo} does not exist", "name the folder that holds the manifests")
    root = repository_root(repo.resolve())
    compiled = compile_tree(list(manifest_files(root)))
    datasets = {
        f"{key.namespace}/{key.name}": declared.resource
        for key, declared in compiled.declared.items()
        if isinstance(declared.resource, Dataset)
    }
    found = [name for name in datasets if what in {name, name.split("/")[1]}]
    if not found:
        raise NotFoundError(f"there is no good Dataset {what} in {root}", _mend(what, list(datasets), bool(compiled.problems)))
    if len(found) > 1:
        raise UsageError(f"{what} is declared in several namespaces", f"write one of {', '.join(found)}")
    return on_machine(datasets[found[0]].spec.source, root)


def _mend(what: str, names: list[str], has_problems: bool) -> str:
    if has_problems:
        return "`gnomon validate` tells what is wrong with the manifests"
    near = get_close_matches(what, [short for name in names for short in (name, name.split("/")[1])], n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(names)}" if names else "declare one, or name a data file"


def _yaml(columns: tuple[Column, ...], taken: TakenSnapshot) -> str:
    files = len(taken.snapshot.files)
    lines = [
        f"# Proposed from {taken.snapshot.rows:,} rows of {files} file{'s' if files != 1 else ''}; bounds leave room.",
        "schema:",
    ]
    for column in columns:
        declared: dict[str, Any] = column.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        if "values" in declared:
            declared["values"] = list(declared["values"])
        entry = yaml.safe_dump(declared, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
        lines.append(f"  - {entry.strip()}")
    return "\n".join(lines) + "\n"


def _no_blob(blob: str, destination: Path) -> None:
    """Stand where blobs of a commit are exported; every file here is one of this machine."""
    raise NotFoundError(f"blob {blob} is not in a commit", f"there is nothing to write to {destination}")
