"""A step whose needs are met gets its inputs and its key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import UsageError
from gnomon.pipeline.closure import Closure, Closures
from gnomon.pipeline.dag import Argument, Command, FromStep, FromStore, Step
from gnomon.pipeline.keys import KeyParts, canonical_json, step_key
from gnomon.pipeline.values import picked, without_inline
from gnomon.stores.objects.interface import ObjectStore


@dataclass
class Keyed:
    """A step whose inputs are known.

    Args:
        step: The step.
        inputs: Argument name -> where its value is kept.
        key: Its key.
        parts: What the key is made of, for the journal.
        closure: The code that it runs.
        tries: How many attempts have failed.
    """

    step: Step
    inputs: Mapping[str, Any]
    key: str
    parts: Mapping[str, Any]
    closure: Closure
    tries: int = 0


class Keying:
    """Makes the keys of one run's steps, from code that does not change meanwhile.

    Args:
        objects: Where results are kept.
        scratch: A folder for what is picked out of a result, which need not be there yet.
    """

    def __init__(self, objects: ObjectStore, scratch: Path) -> None:
        self._objects = objects
        self._scratch = scratch
        self._closures = Closures()

    def keyed(self, step: Step, result_of: Callable[[str], Mapping[str, Any]]) -> Keyed:
        """Return a step with its inputs and its key.

        Args:
            step: The step.
            result_of: Returns the result of a step that this one needs.

        Raises:
            NotFoundError: The code, or an item of a result, does not exist.
            UsageError: The code is not Python, or a parameter is no JSON value.
        """
        inputs = {name: self._resolved(argument, result_of) for name, argument in step.inputs.items()}
        closure = self._closure(step)
        parts = _parts(step, inputs, closure)
        sources = {name: argument.step for name, argument in step.inputs.items() if isinstance(argument, FromStep)}
        return Keyed(step, inputs, step_key(parts), parts.noted(sources), closure)

    def _closure(self, step: Step) -> Closure:
        if isinstance(step.work, Command):
            from gnomon.pipeline.commands import command_closure  # noqa: PLC0415 - for the few steps that are commands

            return command_closure(step.work)
        if step.environment is None:
            return self._closures.of(step.work)
        from gnomon.pipeline.environments import site_packages  # noqa: PLC0415 - for steps with one of their own

        return self._closures.of(step.work, site_packages(step.environment))

    def _resolved(self, argument: Argument, result_of: Callable[[str], Mapping[str, Any]]) -> Any:
        match argument:
            case FromStore(digest=digest, codec=codec, suffix=suffix):
                return {"codec": codec, "digest": digest, **({"suffix": suffix} if suffix else {})}
            case FromStep(step=step, item=item):
                return picked(result_of(step), item, self._objects, self._scratch)
            case _:
                return [self._resolved(each, result_of) for each in argument]


def _parts(step: Step, inputs: Mapping[str, Any], closure: Closure) -> KeyParts:
    more: dict[str, Any] = {
        "environment": step.environment.digest if step.environment is not None else None,
        "secrets": sorted(step.secrets),
        "results": list(step.results),
        "gpu": step.gpu,
        "cpus": step.cpus if step.cpus > 1 else 0,
    }
    try:
        canonical_json([step.params, step.settings])
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the parameters or settings of step {step.name} are not JSON values: {error}", "give finite plain values"
        ) from error
    named = {name: without_inline(kept) for name, kept in inputs.items()}
    return KeyParts(closure.digest, step.params, named, step.seed, {name: value for name, value in more.items() if value})
