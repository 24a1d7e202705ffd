"""What the operator would do with other files: the same plan, over files that somebody sent."""

from collections.abc import Sequence
from typing import Any

from gnomon.operator.actions import Apply, action_json
from gnomon.operator.loop import Operator
from gnomon.operator.plan import plan
from gnomon.operator.source import declared_of, source_files
from gnomon.operator.state import Desired
from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.interface import TreeEntry

_UNCOMMITTED = Revision("uncommitted")


def preview(operator: Operator, files: Sequence[ManifestFile], tree: tuple[TreeEntry, ...]) -> dict[str, Any]:
    """Return the actions and problems that a commit with these files would bring. Changes nothing."""
    current = operator.source.desired()
    last_good = {record.key: declared_of(record) for record in operator.executor.records.resources()}
    compiled = compile_tree(files, last_good)
    desired = Desired(
        revision=_UNCOMMITTED,
        compiled=compiled,
        sources=source_files(compiled, tree),
        locks=current.locks if current is not None else {},
    )
    planned = plan(desired, operator.observer.observe(desired, operator.executor.blocked), operator.clock())
    # Where a file stands is provenance: moving it is nothing that would be done.
    actions = [action for action in planned.actions if not (isinstance(action, Apply) and action.change == "moved")]
    return {
        "actions": [action_json(action) for action in actions],
        "problems": [str(problem) for problem in compiled.problems],
        "pruneRefused": planned.prune_refused,
    }
