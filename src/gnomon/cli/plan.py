"""``gnomon plan``: what a commit of this folder would do, before it is made."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient
from gnomon.cli.manifest_files import repository_root
from gnomon.cli.output import Format, Output, plain, print_document, say
from gnomon.cli.worktree import WorkingTree, committed_tree, working_tree
from gnomon.errors import OperatorUnreachableError
from gnomon.resources.compile import compile_tree

_FAILED = 1


def plan(
    path: Annotated[Path, typer.Argument(help="Folder of the repository.")] = Path(),
    output: Output = Format.TABLE,
) -> None:
    """Show what the operator would do if this folder were committed, and merged with its branch. Changes nothing.

    Without an operator, the folder is compared with its last commit. Exit code 1 when a manifest has a mistake.
    """
    here = working_tree(path)
    pipelines = _pipelines(path, here)
    client = ControlClient()
    try:
        planned = client.post("/plan", {**_sent(here), "pipelines": pipelines})
    except OperatorUnreachableError as error:
        say(f"{error.cause}; comparing with the last commit only", err=True)
        planned = _against_last_commit(here, committed_tree(path))
    planned["problems"] += [f"{key}: {code['error']}" for key, code in pipelines.items() if code["error"]]
    if output in {Format.JSON, Format.YAML}:
        print_document(planned, output)
    else:
        _print(planned)
    if planned["problems"]:
        raise typer.Exit(_FAILED)


def _print(planned: dict[str, Any]) -> None:
    for problem in planned["problems"]:
        say(f"error: {problem}", err=True)
    if planned["mergedWith"]:
        say(f"the branch has moved on to {planned['mergedWith'][:10]}; its changes are counted in", err=True)
    if planned["pruneRefused"]:
        say(f"! {planned['pruneRefused']}")
    for action in planned["actions"]:
        say(f"  {action['text']}")
    if not planned["actions"] and not planned["problems"]:
        typer.echo("nothing to do")


def _sent(tree: WorkingTree) -> dict[str, Any]:
    manifests = [
        {"path": file.path, "blob": file.blob, "content": base64.b64encode(file.content).decode()} for file in tree.manifests
    ]
    return {"manifests": manifests, "tree": [vars(entry) for entry in tree.tree], "bases": list(tree.bases)}


def _pipelines(path: Path, here: WorkingTree) -> dict[str, Any]:
    """Return what the code of each pipeline comes to here: the operator is sent no code."""
    compiled = compile_tree(here.manifests)
    if not any(key.kind == "Pipeline" for key in compiled.declared):
        return {}
    from gnomon.operator.pipeline_code import codes_in  # noqa: PLC0415 - other repositories do not wait for it

    root = repository_root(path.resolve())
    return {str(key): plain(code) for key, code in codes_in(root, compiled, here.tree).items()}


def _against_last_commit(here: WorkingTree, before: WorkingTree) -> dict[str, Any]:
    old = compile_tree(before.manifests)
    new = compile_tree(here.manifests, old.declared)
    actions = []
    for key in sorted(new.declared.keys() | old.declared.keys()):
        now, then = new.declared.get(key), old.declared.get(key)
        if now is not None and then is not None and now.spec_digest == then.spec_digest:
            continue
        word = "create" if then is None else "prune" if now is None else "update"
        actions.append({"action": "Prune" if now is None else "Apply", "resource": str(key), "text": f"{word} {key}"})
    blobs = {entry.path: entry.blob for entry in before.tree}
    manifests = {file.path for file in here.manifests}
    left = blobs.keys() - {entry.path for entry in here.tree} - {file.path for file in before.manifests}
    changed = [e.path for e in here.tree if e.path not in manifests and blobs.get(e.path) != e.blob]
    actions += [{"action": "Data", "resource": path, "text": f"changed file {path}"} for path in changed]
    actions += [{"action": "Data", "resource": path, "text": f"removed file {path}"} for path in sorted(left)]
    return {"actions": actions, "problems": [str(problem) for problem in new.problems], "pruneRefused": "", "mergedWith": ""}
