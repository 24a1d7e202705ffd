import pytest

from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import ManifestFile
from tests.resources.test_rules import told

MODEL = "task: regression, dataset: d, target: y, candidates: [{algorithm: ridge}]"


@pytest.mark.parametrize(
    ("good", "bad", "cause"),
    [
        ("span: 1mo", "span: 1m", "spec.window.span is 1m, and windows are of whole hours"),
        ("span: 2h", "span: 1.5h", "spec.window.span is 90m, and windows are of whole hours"),
        ("span: 30d, every: 1w", "span: 30d, every: 0s", "spec.window.every is 0s, and windows are of whole hours"),
        ("span: 90d, every: 1mo", "span: 1mo, every: 30d", "windows of months (1mo) do not fit steps of fixed length (30d)"),
        ("span: 9999h, every: 1h", "span: 10001h, every: 1h", "steps of 1h cut windows of 10001h into more than 10,000 parts"),
        (
            "span: 1y, origin: 2013-04-06",
            "span: 1y, origin: 2013-03-31",
            "steps of months begin at midnight of a day that every month has",
        ),
        (
            "span: 1d, origin: '2013-04-06T05:00Z'",
            "span: 1mo, origin: '2013-04-06T05:00Z'",
            "steps of months begin at midnight of a day that every month has",
        ),
        ("span: 1d, backfill: {windows: 3}", "span: 1d, backfill: {}", "spec.window.backfill needs one of windows and since"),
        (
            "span: 1d, backfill: {since: 2013-01-01}",
            "span: 1d, backfill: {since: 2013-01-01, windows: 3}",
            "spec.window.backfill needs one of windows and since",
        ),
        ("span: 1d, backfill: {windows: 1000}", "span: 1d, backfill: {windows: 1001}", "spec.window.backfill.windows is 1001"),
        ("span: 1d, lateness: 36h", "span: 1d, lateness: 1mo", 'spec.window.lateness is "1mo"'),
        ("span: 1d, closedUntil: 2013-01-01", "span: 1d, closedUntil: soon", 'spec.window.closedUntil is "soon"'),
    ],
)
def test_windows_that_cannot_be_are_told(good: str, bad: str, cause: str) -> None:
    assert cause in told("Model", f"{MODEL}, window: {{{bad}}}")
    assert told("Model", f"{MODEL}, window: {{{good}}}") == []


@pytest.mark.parametrize(
    ("good", "bad", "cause"),
    [
        ('schedule: "0 3 * * 1"', 'schedule: "0 3 * *"', 'spec.retrain.schedule is "0 3 * *"'),
        (
            'schedule: "0 3 * * 1", timezone: Europe/Brussels',
            "timezone: Europe/Brussels",
            "spec.retrain.timezone is the zone of no schedule",
        ),
        ('schedule: "0 3 * * 1", timezone: UTC', 'schedule: "0 3 * * 1", timezone: Mars', 'spec.retrain.timezone is "Mars"'),
    ],
)
def test_schedules_that_cannot_be_are_told(good: str, bad: str, cause: str) -> None:
    assert cause in told("Model", f"{MODEL}, retrain: {{{bad}}}")
    assert told("Model", f"{MODEL}, retrain: {{{good}}}") == []


def test_windows_need_a_column_of_event_times() -> None:
    head = "apiVersion: gnomon.dev/v1alpha1\n"
    dataset = f"{head}kind: Dataset\nmetadata: {{name: d}}\nspec: {{source: {{files: a.csv}}}}\n"
    model = f"{head}kind: Model\nmetadata: {{name: m}}\nspec: {{{MODEL}, window: {{span: 1mo}}}}\n"
    files = [ManifestFile("d.yaml", "1", dataset.encode()), ManifestFile("m.yaml", "2", model.encode())]
    (problem,) = compile_tree(files, {}).problems
    assert problem.cause == "windows are of event time, and the Dataset d declares no time column"
    assert problem.mend == "add time to the spec of dataset/default/d, or remove window"
