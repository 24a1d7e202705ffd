"""A search becomes steps: rows encoded once, candidates fitted whole, ensembles grown rung by rung."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gnomon.pipeline.dag import Argument, FromStep, FromStore, FunctionRef, Step
from gnomon.resources.model import ModelSpec
from gnomon.training.candidates import CandidatePlan
from gnomon.training.dag import named_apart, step_limits
from gnomon.training.search.ensembles import ENSEMBLES
from gnomon.training.selection import selection_metric

_STEPS = "gnomon/training/search/steps.py"


def grounded(step: Step, kept: Mapping[str, Mapping[str, FromStore]]) -> Step:
    """Return the step with kept results in the place of the names of steps that have ended.

    Args:
        step: The step.
        kept: What those steps gave, by their names and the names of the items.
    """

    def ground(argument: Argument) -> Argument:
        if isinstance(argument, FromStep) and argument.item is not None and argument.step in kept:
            return kept[argument.step][argument.item]
        return argument

    return replace(step, inputs={name: ground(argument) for name, argument in step.inputs.items()})


@dataclass(frozen=True)
class SearchSteps:
    """Makes the steps of one search. ``root`` is the folder that holds the package ``gnomon``."""

    spec: ModelSpec
    root: Path

    def encode(self, plans: Iterable[CandidatePlan]) -> Step:
        """Return the step ``encode``, which gets the rows ready for these candidates."""
        algorithms = {plan.algorithm for plan in plans}
        return Step(
            name="encode",
            work=FunctionRef(self.root, "gnomon/training/search/encoding.py", "encode"),
            params={"trees": not algorithms.isdisjoint(ENSEMBLES), "cut": "lightgbm" in algorithms},
            inputs={item: FromStep("prepare", item) for item in ("table", "train", "validation", "facts")},
            **step_limits(self.spec),
        )

    def fit_whole(self, plan: CandidatePlan) -> Step:
        """Return the step ``fit-NAME`` of a candidate that does not grow."""
        prepared = {item: FromStep("prepare", item) for item in ("table", "train", "validation")}
        return self._step(f"fit-{plan.name}", "fit_whole", plan, prepared | self._encoded("target", "actual"), {})

    def grow(self, plan: CandidatePlan, length: int, before: Mapping[str, Argument]) -> Step:
        """Return the step ``fit-NAME.LENGTH``, which grows an ensemble on from what an earlier such step left."""
        bins = ("bins",) if plan.algorithm == "lightgbm" else ()
        rows = self._encoded("learnt", "held_out", "target", "actual", *bins)
        return self._step(f"fit-{plan.name}.{length}", "grow", plan, rows | dict(before), {"length": length})

    def _encoded(self, *items: str) -> dict[str, Argument]:
        return {"facts": FromStep("prepare", "facts"), **{item: FromStep("encode", item) for item in items}}

    def _step(
        self, name: str, function: str, plan: CandidatePlan, inputs: Mapping[str, Argument], params: Mapping[str, Any]
    ) -> Step:
        told = named_apart(plan)
        return Step(
            name=name,
            work=FunctionRef(self.root, _STEPS, function),
            params={**told["params"], "metric": selection_metric(self.spec), **params},
            settings=told["settings"],
            inputs=inputs,
            **step_limits(self.spec),
        )
