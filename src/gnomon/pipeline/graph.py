"""The steps of a graph in the order of their needs."""

from collections.abc import Iterator, Mapping, Sequence

from gnomon.errors import UsageError
from gnomon.pipeline.dag import Argument, Command, Dag, FromStep, FromStore, Step
from gnomon.pipeline.naming import nearest


class Graph:
    """Which steps are ready, as others are done.

    Raises:
        UsageError: Two steps share a name, an argument is given twice, a step needs an unknown one, or steps need each other.
    """

    def __init__(self, dag: Dag) -> None:
        self._steps: dict[str, Step] = {}
        for step in dag.steps:
            if step.name in self._steps:
                raise UsageError(f"two steps are named {step.name}", "give each step of a run a name of its own")
            self._steps[step.name] = step
        self._numbers = {name: number for number, name in enumerate(self._steps)}
        self._waits: dict[str, set[str]] = {}
        self._dependents: dict[str, list[str]] = {}
        for step in dag.steps:
            _check_arguments(step)
            if isinstance(step.work, Command):
                from gnomon.pipeline.commands import check_command  # noqa: PLC0415 - for the few steps that are commands

                check_command(step, step.work)
            self._waits[step.name] = set(self._needs(step))
            for need in self._waits[step.name]:
                self._dependents.setdefault(need, []).append(step.name)
        self._check_cycles()

    @property
    def names(self) -> Sequence[str]:
        """The names of the steps, as declared."""
        return list(self._steps)

    def step(self, name: str) -> Step:
        """Return a step."""
        return self._steps[name]

    def number(self, name: str) -> int:
        """Return the place of a step among all, which is safe as a file name."""
        return self._numbers[name]

    def ready(self) -> list[str]:
        """Return the steps that need no other."""
        return [name for name, waits in self._waits.items() if not waits]

    def done(self, name: str) -> list[str]:
        """Take note that a step is done, and return those that wait for nothing any more."""
        freed = []
        for dependent in self._dependents.get(name, ()):
            self._waits[dependent].discard(name)
            if not self._waits[dependent]:
                freed.append(dependent)
        return freed

    def downstream(self, name: str) -> Iterator[str]:
        """Yield the steps that need this one, themselves or through others; each once."""
        seen = {name}
        todo = [name]
        while todo:
            for dependent in self._dependents.get(todo.pop(), ()):
                if dependent not in seen:
                    seen.add(dependent)
                    todo.append(dependent)
                    yield dependent

    def _needs(self, step: Step) -> Iterator[str]:
        for need in (*step.needs, *(each for argument in step.inputs.values() for each in _steps_of(argument))):
            if need not in self._steps:
                near = nearest(need, self._steps)
                hint = f"did you mean {near}?" if near else "add that step, or take the argument out"
                raise UsageError(f"step {step.name} needs the step {need}, which does not exist", hint)
            yield need

    def _check_cycles(self) -> None:
        waits = {name: len(needs) for name, needs in self._waits.items()}
        free = [name for name, count in waits.items() if not count]
        while free:
            for dependent in self._dependents.get(free.pop(), ()):
                waits[dependent] -= 1
                if not waits[dependent]:
                    free.append(dependent)
        stuck = {name for name, count in waits.items() if count}
        if stuck:
            raise UsageError(
                f"steps need each other: {' needs '.join(_cycle(self._waits, stuck))}", "take one of the needs out"
            )


def _steps_of(argument: Argument) -> Iterator[str]:
    match argument:
        case FromStep():
            yield argument.step
        case FromStore():
            return
        case _:
            for each in argument:
                yield from _steps_of(each)


def _check_arguments(step: Step) -> None:
    groups = (set(step.params), set(step.inputs), set(step.settings))
    twice = (groups[0] & groups[1]) | (groups[0] & groups[2]) | (groups[1] & groups[2])
    if twice:
        raise UsageError(
            f"step {step.name} is given {', '.join(sorted(twice))} twice",
            "name an argument once among params, inputs and settings",
        )


def _cycle(waits: Mapping[str, set[str]], stuck: set[str]) -> list[str]:
    """Return one cycle, its first step again at the end. Every stuck step needs another stuck one, so walking finds it."""
    path = [min(stuck)]
    while True:
        following = min(waits[path[-1]] & stuck)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
