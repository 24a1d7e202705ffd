"""Resources of every kind with any content that their types and rules allow."""

from datetime import timedelta

from hypothesis import strategies as st

from gnomon.resources.base import Metadata
from gnomon.resources.compiled import AnyResource
from gnomon.resources.dataset import Check, Column, Dataset, DatasetSpec, FromEnvironment, Sql, Storage
from gnomon.resources.dataset import Source as DatasetSource
from gnomon.resources.learning import ALGORITHMS_BY_TASK, LABEL_METRICS, METRICS_BY_TASK, TARGET_TASKS, Metric, Task
from gnomon.resources.model import (
    Backfill,
    Candidate,
    Gate,
    Model,
    ModelSpec,
    Range,
    Resources,
    Retrain,
    Scalar,
    Split,
    Value,
    Window,
)
from gnomon.resources.pipeline import (
    CommitTrigger,
    Pipeline,
    PipelineInput,
    PipelineSpec,
    PipelineStep,
    Retry,
    Trigger,
)
from gnomon.resources.project import Author, Project, ProjectSpec, Prune, Source, Sync, WriteBack
from gnomon.resources.quantities import parse_share
from gnomon.resources.release import Release, ReleaseSpec
from gnomon.resources.rules import violations
from gnomon.resources.service import Limits, ReleasePolicy, Service, ServiceSpec
from tests.strategies import windows

# What YAML 1.1 and 1.2 read differently, or as something that is not text.
tricky_texts = st.sampled_from(
    [
        "no",
        "NO",
        "on",
        "off",
        "y",
        "~",
        "null",
        "true",
        "012",
        "0x1f",
        "0o17",
        "1e3",
        "1_000",
        "22:30",
        "2020-01-01",
        ".5",
        "<<",
        "=",
        "-",
        "#",
        "'",
        '"',
        "{",
        "[x]",
        "&a",
        "*a",
        "!t",
        "%d",
        "@",
        "`",
        "|",
        ">",
        ".inf",
        ".NaN",
        "é😀",
        "- a",
        "a: b",
        " a ",
        "a\nb\t",
        "",
    ]
)
texts = tricky_texts | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
filled_texts = texts.filter(lambda text: bool(text.strip()))
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
durations = st.integers(0, 10**12).map(lambda microseconds: timedelta(microseconds=microseconds))
some_time = st.integers(10**6, 10**12).map(lambda microseconds: timedelta(microseconds=microseconds))
shares = st.decimals(0, 100, places=4).map(lambda percent: parse_share(f"{percent}%"))
inner_shares = st.decimals("0.01", "99.99", places=2).map(lambda percent: parse_share(f"{percent}%"))
sizes = st.integers(1, 2**50)
numbers = st.integers(-(2**53), 2**53) | st.floats(-1e12, 1e12)
scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), st.floats(-1e12, 1e12), texts
)
parameter_values: st.SearchStrategy[Value] = scalars | st.lists(st.integers(0, 10**6), max_size=3).map(tuple)
digests = st.binary(min_size=32, max_size=32).map(lambda content: f"sha256:{content.hex()}")
json_values = st.recursive(
    st.none() | scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def metadata(name: st.SearchStrategy[str] = names) -> st.SearchStrategy[Metadata]:
    """Return metadata with names from ``name``."""
    words = st.dictionaries(texts, texts, max_size=2)
    return st.builds(Metadata, name=name, namespace=names, labels=words, annotations=words)


projects = st.builds(
    Project,
    metadata=metadata(),
    spec=st.builds(
        ProjectSpec,
        source=st.builds(Source, interval=some_time, timeout=some_time),
        sync=st.builds(Sync, prune=st.builds(Prune, enabled=st.booleans(), max_fraction=shares)),
        write_back=st.builds(
            WriteBack, mode=st.sampled_from(["direct", "disabled"]), author=st.builds(Author, name=names, email=names)
        ),
    ),
)


def _column(name: str, column_type: str) -> st.SearchStrategy[Column]:
    bound = numbers if column_type in {"float64", "float32", "int64", "int32"} else st.none()
    values = st.lists(texts, min_size=1, max_size=3, unique=True).map(tuple) if column_type == "string" else st.none()
    return st.builds(
        Column,
        name=st.just(name),
        type=st.just(column_type),
        nullable=st.booleans(),
        min=bound,
        values=st.none() | values,
        unique=st.booleans(),
    )


column_types = st.sampled_from(["float64", "float32", "int64", "int32", "boolean", "string", "timestamp", "date"])
_columns = st.lists(st.tuples(filled_texts, column_types), max_size=4, unique_by=lambda column: column[0]).flatmap(
    lambda columns: st.tuples(*(_column(name, column_type) for name, column_type in columns))
)
_OUTSIDE = [
    DatasetSource(
        files="s3://bucket/*/*.parquet",
        storage=Storage(
            endpoint="http://127.0.0.1:1", access_key=FromEnvironment(env="KEY"), secret_key=FromEnvironment(env="SECRET")
        ),
    ),
    DatasetSource(sql=Sql(url="sqlite:///data/shop.db", query="select 1 as a")),
    DatasetSource(sql=Sql(url=FromEnvironment(env="WAREHOUSE_URL"), query="select 1 as a")),
]
datasets = st.builds(
    Dataset,
    metadata=metadata(),
    spec=_columns.flatmap(
        lambda columns: st.builds(
            DatasetSpec,
            source=st.builds(
                DatasetSource,
                files=st.sampled_from(["data/*.parquet", "/srv/a b.csv", "x.csv.gz", "data/*"]),
                format=st.sampled_from([None, "csv", "parquet", "jsonl", "arrow"]),
                partitioned=st.none() | st.booleans(),
            )
            | st.sampled_from(_OUTSIDE),
            time=st.sampled_from([None, *(column.name for column in columns if column.type in {"timestamp", "date"})]),
            key=st.just(tuple(column.name for column in columns[:2])),
            columns=st.just(columns),
            checks=st.lists(
                st.builds(Check, name=names, expr=filled_texts, fail=st.sampled_from(["block", "warn"])),
                max_size=2,
                unique_by=lambda check: check.name,
            ).map(tuple),
            suspend=st.booleans(),
        )
    ),
)

_ranges = st.builds(Range, log=st.tuples(st.floats(1e-6, 1), st.integers(2, 1000)), n=st.integers(1, 3)) | st.builds(
    Range, linear=st.tuples(st.integers(-5, 0), st.floats(0.5, 9)), n=st.integers(1, 3)
)
_searches = st.dictionaries(
    texts.map("s".__add__), st.lists(parameter_values, min_size=1, max_size=3, unique_by=str).map(tuple) | _ranges, max_size=2
)


def _metrics(task: Task) -> st.SearchStrategy[Metric]:
    measurable = [name for name in METRICS_BY_TASK[task] if task != "anomaly" or name not in LABEL_METRICS]
    return st.sampled_from(measurable)


def _gates(task: Task) -> st.SearchStrategy[Gate]:
    metrics = _metrics(task)
    against = st.builds(
        Gate,
        metric=metrics,
        against=st.just("champion"),
        improve_by=st.none() | shares,
        confidence=st.none() | st.floats(0.51, 0.99),
        max_ratio=st.none() | st.floats(0.5, 2),
    )
    latency = st.builds(Gate, metric=st.just("latencyP99"), max=st.sampled_from(["5ms", "1s"]))
    size = st.builds(Gate, metric=st.just("size"), max=st.sampled_from(["50MiB", "1GB"]))
    return st.builds(Gate, metric=metrics, min=st.floats(0, 0.4), max=st.floats(0.5, 1)) | against | latency | size


_windows = st.builds(
    Window,
    span=windows.months | windows.hours,
    every=st.none() | windows.months,
    origin=st.none() | windows.midnights,
    lateness=st.none() | durations,
    closed_until=st.none() | windows.moments,
    backfill=st.none()
    | st.builds(Backfill, windows=st.integers(1, 1000))
    | st.builds(Backfill, since=windows.moments | windows.midnights),
)


def _model_specs(task: Task) -> st.SearchStrategy[ModelSpec]:
    candidates = st.builds(
        Candidate,
        algorithm=st.sampled_from(ALGORITHMS_BY_TASK[task]),
        name=st.none() | names,
        params=st.dictionaries(texts.map("p".__add__), parameter_values, max_size=2),
        search=_searches,
    )
    return st.builds(
        ModelSpec,
        task=st.just(task),
        dataset=names,
        target=filled_texts.map("t".__add__) if task in TARGET_TASKS else st.none(),
        features=st.lists(filled_texts.map("f".__add__), max_size=3, unique=True).map(tuple),
        split=st.builds(
            Split,
            by=st.sampled_from([None, "time" if task == "forecasting" else "random"]),
            test=inner_shares,
            validation=inner_shares,
            seed=st.integers(0, 9),
        )
        | st.builds(Split, by=st.just("time"), gap=durations),
        candidates=st.lists(
            candidates, min_size=1, max_size=2, unique_by=lambda candidate: candidate.name or id(candidate)
        ).map(tuple),
        metric=st.none() | _metrics(task),
        horizon=st.none() | st.integers(1, 99) | some_time if task == "forecasting" else st.none(),
        series=st.lists(filled_texts.map("s".__add__), max_size=2, unique=True).map(tuple)
        if task == "forecasting"
        else st.just(()),
        season=st.none() | st.integers(2, 99) if task == "forecasting" else st.none(),
        contamination=st.none() | st.sampled_from([0.01, 0.5]) if task == "anomaly" else st.none(),
        gates=st.lists(_gates(task), max_size=3)
        .map(tuple)
        .filter(lambda gates: all(g not in gates[:i] for i, g in enumerate(gates))),
        retrain=st.builds(
            Retrain,
            when=st.sampled_from([None, (), ("data",), ("data", "code")]),
            cooldown=durations,
            max_per_day=st.none() | st.integers(1, 9),
        )
        | st.builds(Retrain, schedule=st.just("0 3 * * 1"), timezone=st.sampled_from(["UTC", "Europe/Brussels"])),
        window=st.none() | _windows,
        resources=st.builds(Resources, memory=st.none() | sizes, timeout=some_time, parallel=st.none() | st.integers(1, 9)),
        suspend=st.booleans(),
    )


models = st.builds(Model, metadata=metadata(), spec=st.sampled_from(list(METRICS_BY_TASK)).flatmap(_model_specs))
services = st.builds(
    Service,
    metadata=metadata(),
    spec=st.builds(
        ServiceSpec,
        model=names,
        release=st.builds(
            ReleasePolicy,
            promote=st.sampled_from(["auto", "manual"]),
            after_revert=st.sampled_from(["require-change", "hold", "any"]),
            keep_warm=st.integers(0, 10),
        ),
        limits=st.builds(Limits, body=sizes, timeout=some_time),
        suspend=st.booleans(),
    ),
)
releases = names.flatmap(
    lambda name: st.builds(
        Release,
        metadata=metadata(st.just(name)),
        spec=st.builds(
            ReleaseSpec,
            service=st.just(name),
            model=names,
            version=st.integers(1, 99),
            sequence=st.integers(1, 99),
            digest=digests,
            previous=st.none() | digests,
            rejected=st.lists(digests, max_size=2).map(tuple),
            evidence=st.dictionaries(texts, json_values, max_size=3),
        ),
    )
)
_parameters = st.dictionaries(st.sampled_from(["rate", "Power", "n_1"]), json_values, max_size=2)
_functions = st.builds(
    PipelineStep,
    name=st.sampled_from(["clean", "left-part"]),
    python=st.just("pipeline/steps.py:clean"),
    outputs=st.sampled_from([(), ("train", "test")]),
    params=st.dictionaries(st.just("depth"), json_values),
    seed=st.integers(0, 9),
    timeout=st.none() | some_time,
    memory=st.none() | sizes,
    gpu=st.integers(0, 2),
    retry=st.none() | st.builds(Retry, times=st.integers(1, 20), backoff=some_time),
    secrets=st.sampled_from([(), ("SLACK_TOKEN",)]),
)
_commands = st.builds(
    PipelineStep,
    name=st.just("count"),
    command=st.sampled_from(["wc {inputs.clean} > {outputs.lines}", ("tool", "--seed={seed}", "{{}}")]),
    outputs=st.sampled_from([("lines",), {"lines": "out/lines.txt"}]),
    files=st.sampled_from([(), ("tools/count.sh",)]),
    needs=st.sampled_from([(), ("clean",)]),
)
pipelines = st.builds(
    Pipeline,
    metadata=metadata(),
    spec=st.builds(
        PipelineSpec,
        params=_parameters,
        inputs=st.dictionaries(
            st.sampled_from(["flights", "config"]),
            st.builds(PipelineInput, dataset=names, as_=st.sampled_from(["table", "files"]))
            | st.builds(PipelineInput, files=st.just("config/*.json")),
        ),
        steps=st.tuples(_functions, _commands) | st.tuples(_functions),
        environment=st.sampled_from([None, "requirements.txt", "tools/uv.lock"]),
        schedule=st.sampled_from(["0 3 * * 1", "*/5 * * * mon-fri"]),
        timezone=st.sampled_from(["UTC", "Europe/Berlin"]),
        triggers=st.none()
        | st.lists(st.builds(Trigger, commit=st.builds(CommitTrigger, paths=st.just(("pipeline/**",)))), max_size=1).map(tuple),
        parallel=st.none() | st.integers(1, 9),
        priority=st.integers(-9, 9),
        suspend=st.booleans(),
    ),
)
resources: st.SearchStrategy[AnyResource] = st.one_of(projects, datasets, pipelines, models, services, releases).filter(
    lambda resource: not list(violations(resource))
)
