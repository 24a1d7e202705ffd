"""What happens inside the process of one step: load the arguments, call the user's function, keep what it returns."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnomon.pipeline.codecs import as_annotated
from gnomon.pipeline.loading import keep_compiled, load_function
from gnomon.pipeline.values import keep_result, read_kept
from gnomon.runners.child import seed_everything
from gnomon.stores.objects.disk import DiskObjectStore


def run_step(payload: bytes) -> bytes:
    """Run one step and return, as JSON, where the items of its result are kept.

    Args:
        payload: JSON: ``work``, that is ``root``, ``file`` and ``name`` of a function, or what ``programs.run_program`` takes;
            ``values`` and ``inputs`` by argument name, ``results``, ``seed``, the folder ``objects`` of the store, ``scratch``,
            a folder that it starts in and has for itself meanwhile, ``inline_bytes``, see ``values``, and ``compiled``, which
            the steps of the run share.
    """
    request = json.loads(payload)
    objects = DiskObjectStore(Path(request["objects"]))
    scratch = Path(request["scratch"])
    _empty(scratch)  # of what a step left that was killed here
    os.environ["TMPDIR"] = str(scratch)
    before = Path.cwd()
    os.chdir(scratch)
    try:
        if "argv" in request:
            from gnomon.pipeline.programs import run_program  # noqa: PLC0415 - for the few steps that are commands

            kept = run_program(request, objects, scratch)
        else:
            kept = _call(request, objects, scratch)
        return json.dumps(kept).encode()
    finally:
        keep_compiled(None)  # the folder goes with the run, and this process may stay
        os.chdir(before)
        _empty(scratch)


def _empty(folder: Path) -> None:
    """Make a folder, or remove what is in it. Steps use it in turn: to make an inode and remove it costs 0.3 ms."""
    try:
        found = os.listdir(folder)  # noqa: PTH208 - a third of the time of Path.iterdir
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        return
    for name in found:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _call(request: Mapping[str, Any], objects: DiskObjectStore, scratch: Path) -> dict[str, dict[str, Any]]:
    keep_compiled(Path(request["compiled"]))
    function = load_function(Path(request["root"]), request["file"], request["name"])
    seed_everything(request["seed"])  # again: NumPy may have come with the function
    given = scratch / ".inputs"
    arguments = {
        name: as_annotated(read_kept(kept, objects, given / name), function, name) for name, kept in request["inputs"].items()
    }
    returned = function(**request["values"], **arguments)
    return keep_result(returned, objects, scratch, names=tuple(request["results"]), inline_bytes=request["inline_bytes"])
