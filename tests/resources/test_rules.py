"""The rules of models stand in golden/broken.yaml too; here is one case for every rule, and its nearest good neighbour."""

import pytest

from gnomon.resources.parse import parse_file

HEAD = "apiVersion: gnomon.dev/v1alpha1\n"
FILES = "source: {files: a.csv}"
ZEROS = "0" * 64


def told(kind: str, spec: str, name: str = "a") -> list[str]:
    """Return causes of everything that is wrong with a resource, without their places."""
    (document,) = parse_file(f"{HEAD}kind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n".encode()).documents
    assert all(finding.mend for finding in document.findings)
    return [finding.cause for finding in document.findings]


def column(rest: str) -> str:
    return f"{FILES}, schema: [{{name: x, {rest}}}]"


@pytest.mark.parametrize(
    ("good", "bad", "cause"),
    [
        (FILES, "source: {files: '../a.csv'}", "../a.csv leaves the repository"),
        ("source: {files: /srv/../a.csv}", "source: {files: ~/a.csv}", "~/a.csv depends on who runs the operator"),
        ("source: {files: 's3://b/a.csv'}", "source: {files: 'ftp://b/a.csv'}", "ftp:// is no place that files are read from"),
        ("source: {files: 's3://b/*.csv'}", "source: {files: 's3://b'}", "s3://b names no objects of a bucket"),
        (FILES, "source: {format: csv}", "spec.source names neither files nor sql"),
        (
            "source: {files: 's3://b/*.csv', storage: {region: eu}}",
            "source: {files: '/srv/*.csv', storage: {region: eu}}",
            "storage is for files in S3, such as s3://bucket/prefix/*.parquet",
        ),
        (
            "source: {files: 's3://b/*.csv', storage: {accessKey: {env: A}, secretKey: {env: B}}}",
            "source: {files: 's3://b/*.csv', storage: {accessKey: {env: A}}}",
            "an access key and its secret go together",
        ),
        (
            "source: {sql: {url: 'postgresql://me@db/shop', query: select 1}}",
            "source: {sql: {url: 'postgresql://me:hush@db/shop', query: select 1}}",
            "the address of the database holds a password, which everybody who reads the repository then knows",
        ),
        (
            "source: {sql: {url: {env: SHOP}, query: select 1}}, refresh: 5m",
            "source: {sql: {url: 'mysql://db/shop', query: select 1}}, refresh: 5m",
            "spec.source.sql.url is of no database that can be read: PostgreSQL, SQLite and DuckDB are",
        ),
        (
            "source: {sql: {url: 'sqlite:////srv/shop.db', query: select 1}}, refresh: 5m",
            "source: {sql: {url: 'sqlite:///data/shop.db', query: select 1}}, refresh: 5m",
            "what is committed changes by commits alone, and needs no refresh",
        ),
        (
            "source: {sql: {url: {env: SHOP}, query: select 1}}",
            "source: {sql: {url: {env: SHOP}, query: ' ; '}}",
            "the query is empty",
        ),
        (
            f"{FILES}, webhook: {{token: {{env: T}}}}",
            f"{FILES}, webhook: {{token: {{env: T}}, secret: {{env: S}}}}",
            "spec.webhook takes one of token and secret",
        ),
        (
            f"{FILES}, accept: [x]",
            f"{FILES}, accept: [x], schema: [{{name: x, type: date}}]",
            "a schema says which columns there are, and accept has no say",
        ),
        (
            "source: {files: a.json, format: csv}",
            "source: {files: a.json}",
            "a.json does not say what the files are",
        ),
        ("source: {files: 'data/*'}", "source: {files: ''}", 'spec.source.files is ""'),
        (column("type: int64, min: 0"), column("type: string, min: 0"), '"x" is of type string, and min is for numbers'),
        (column("type: date"), column("type: date, max: 0"), '"x" is of type date, and max is for numbers'),
        (
            column("type: int64, min: 1, max: 1"),
            column("type: int64, min: 2, max: 1"),
            'the min of "x", 2, is above its max, 1',
        ),
        (
            column("type: string, values: [a]"),
            column("type: int64, values: [a]"),
            '"x" is of type int64, and values is for strings',
        ),
        (column("type: string"), column("type: string, values: []"), '"x" may hold no value at all'),
        (column("type: string, values: [a, b]"), column("type: string, values: [a, a]"), 'there are two values called "a"'),
        (
            f"{FILES}, schema: [{{name: x, type: date}}, {{name: y, type: date}}]",
            f"{FILES}, schema: [{{name: x, type: date}}, {{name: x, type: date}}]",
            'there are two columns called "x"',
        ),
        (
            f"{FILES}, checks: [{{name: c, expr: 'true'}}]",
            f"{FILES}, checks: [{{name: c, expr: 'true'}}, {{name: c, expr: 'false'}}]",
            'there are two checks called "c"',
        ),
        (f"{FILES}, key: [x, y]", f"{FILES}, key: [x, x]", 'there are two key columns called "x"'),
        (f"{FILES}, time: z", column("type: date") + ", time: z", 'the schema has no column "z"'),
        (f"{FILES}, key: [z]", column("type: date") + ", key: [z]", 'the schema has no column "z"'),
        (
            column("type: date") + ", time: x",
            column("type: int64") + ", time: x",
            'spec.time names "x", which is of type int64',
        ),
    ],
)
def test_datasets(good: str, bad: str, cause: str) -> None:
    assert told("Dataset", good) == []
    assert told("Dataset", bad) == [cause]


REGRESSION = "task: regression, dataset: d, target: t"
CLASSES = "task: classification, dataset: d, target: t"


def searched(values: str) -> str:
    return f"{REGRESSION}, candidates: [{{algorithm: ridge, search: {{alpha: {values}}}}}]"


def gated(gate: str, spec: str = REGRESSION, algorithm: str = "lightgbm") -> str:
    return f"{spec}, candidates: [{{algorithm: {algorithm}}}], gates: [{{{gate}}}]"


def candidate(rest: str, spec: str = REGRESSION) -> str:
    return f"{spec}, candidates: [{{{rest}}}]"


RIDGE = candidate("algorithm: ridge")
LOGISTIC = candidate("algorithm: logistic", CLASSES)


@pytest.mark.parametrize(
    ("good", "bad", "cause"),
    [
        (f"{RIDGE}, features: [a]", f"{RIDGE}, features: [a, t]", 'the target "t" is also a feature'),
        (f"{RIDGE}, features: []", f"{RIDGE}, features: [a, a]", 'there are two features called "a"'),
        (f"{RIDGE}, split: {{test: 1%}}", f"{RIDGE}, split: {{test: 0%}}", "spec.split.test leaves no rows on one side"),
        (
            f"{RIDGE}, split: {{validation: 99%}}",
            f"{RIDGE}, split: {{validation: 100%}}",
            "spec.split.validation leaves no rows on one side",
        ),
        (
            f"{LOGISTIC}, split: {{by: stratified}}",
            f"{RIDGE}, split: {{by: stratified}}",
            "regression has no classes to stratify by",
        ),
        (
            f"{RIDGE}, split: {{by: time, gap: 1d}}",
            f"{RIDGE}, split: {{by: random, gap: 1d}}",
            "spec.split.gap means nothing where rows are split by random",
        ),
        (
            f"{REGRESSION}, candidates: [{{algorithm: ridge}}, {{algorithm: ridge, name: b}}]",
            f"{REGRESSION}, candidates: [{{algorithm: ridge, name: b}}, {{algorithm: linear, name: b}}]",
            'there are two candidates called "b"',
        ),
        (LOGISTIC, candidate("algorithm: logistic"), "logistic does not do regression"),
        (RIDGE, candidate("algorithm: ridge", CLASSES), "ridge does not do classification"),
        (RIDGE, candidate("algorithm: linear", CLASSES), "linear does not do classification"),
        (
            candidate("algorithm: ridge, params: {a: 1}, search: {b: [1]}"),
            candidate("algorithm: ridge, params: {a: 1}, search: {a: [1]}"),
            "a is both in params and in search",
        ),
        (searched("[1]"), searched("[]"), "spec.candidates[0].search.alpha has no values"),
        (searched("[1, true, '1', x]").replace("'1', ", ""), searched("[x, x]"), 'there are two values called "x"'),
        (searched("{log: [1, 2]}"), searched("{n: 2}"), "spec.candidates[0].search.alpha needs one of log and linear"),
        (
            searched("{linear: [-1, 2]}"),
            searched("{linear: [1, 2], log: [1, 2]}"),
            "spec.candidates[0].search.alpha needs one of log and linear",
        ),
        (searched("{linear: [0, 2]}"), searched("{linear: [2, 2]}"), "spec.candidates[0].search.alpha.linear does not rise"),
        (
            searched("{log: [0.1, 2]}"),
            searched("{log: [0, 2]}"),
            "spec.candidates[0].search.alpha.log starts at 0, which has no logarithm",
        ),
        (
            searched("{linear: [1, 2], n: 1000}"),
            candidate("algorithm: ridge, search: {a: {linear: [1, 2], n: 1000}, b: [1, 2]}"),
            "the search comes to 2,000 candidates, and the most is 1,000",
        ),
        (f"{RIDGE}, metric: mae", f"{RIDGE}, metric: latencyP99", "latencyP99 does not choose between candidates"),
        (f"{LOGISTIC}, metric: f1", f"{RIDGE}, metric: f1", "f1 does not measure regression"),
        (gated("metric: rmse, max: 1"), gated("metric: rocAuc, min: 0.5"), "rocAuc does not measure regression"),
        (
            gated("metric: logLoss, max: 1", CLASSES),
            gated("metric: rmse, max: 1", CLASSES),
            "rmse does not measure classification",
        ),
        (gated("metric: rmse, against: champion"), gated("metric: rmse"), "spec.gates[0] sets no condition"),
        (
            gated("metric: rmse, against: champion, improveBy: 1%"),
            gated("metric: rmse, max: 1, improveBy: 1%"),
            "spec.gates[0].improveBy compares with nothing",
        ),
        (
            gated("metric: rmse, against: champion, confidence: 0.9"),
            gated("metric: rmse, max: 1, confidence: 0.9"),
            "spec.gates[0].confidence compares with nothing",
        ),
        (
            gated("metric: rmse, against: champion, maxRatio: 1.1"),
            gated("metric: rmse, max: 1, maxRatio: 1.1"),
            "spec.gates[0].maxRatio compares with nothing",
        ),
        (
            gated("metric: size, against: champion, maxRatio: 1.1"),
            gated("metric: size, against: champion, confidence: 0.9"),
            "size has no rows to be confident about",
        ),
        (gated("metric: latencyP99, max: 5ms"), gated("metric: latencyP99, max: 5MiB"), "the max of latencyP99 is 5MiB"),
        (gated("metric: size, max: 5MiB"), gated("metric: size, max: 5"), "the max of size is 5"),
        (
            gated("metric: size, max: 5MiB"),
            gated("metric: size, max: 5MiB, min: 1"),
            "size has no least value to reach",
        ),
        (gated("metric: rmse, max: 45"), gated("metric: rmse, max: 5ms"), 'the max of rmse is the text "5ms"'),
        (
            gated("metric: r2, min: 0.1, max: 0.9"),
            gated("metric: r2, min: 0.9, max: 0.1"),
            "min 0.9 is above max 0.1, so that nothing passes",
        ),
        (
            gated("metric: accuracy, min: 0.9", CLASSES),
            gated("metric: accuracy, min: 90", CLASSES),
            "accuracy lies between 0 and 1, and min is 90",
        ),
        (
            gated("metric: rmse, max: 1}, {metric: rmse, max: 2"),
            gated("metric: rmse, max: 1}, {metric: rmse, max: 1"),
            "spec.gates[1] repeats an earlier gate",
        ),
        (
            f"{RIDGE}, resources: {{timeout: 1s, memory: 1MiB}}",
            f"{RIDGE}, resources: {{timeout: 0s}}",
            "spec.resources.timeout is no time at all",
        ),
        (RIDGE, f"{RIDGE}, resources: {{memory: 0B}}", "spec.resources.memory is 0 bytes"),
        (RIDGE, f"{REGRESSION}, candidates: []", "spec.candidates is an empty list"),
    ],
)
def test_models(good: str, bad: str, cause: str) -> None:
    assert told("Model", good) == []
    assert told("Model", bad) == [cause]


@pytest.mark.parametrize(
    ("kind", "good", "bad", "cause"),
    [
        ("Service", "model: m", "model: m, limits: {timeout: 0s}", "spec.limits.timeout is no time at all"),
        ("Service", "model: m, limits: {body: 1B}", "model: m, limits: {body: 0B}", "spec.limits.body is 0 bytes"),
        ("Project", "source: {interval: 1s}", "source: {interval: 500ms}", "spec.source.interval is below 1s"),
        ("Project", "", "source: {timeout: 0s}", "spec.source.timeout is no time at all"),
        (
            "Project",
            "writeBack: {author: {name: A B}}",
            'writeBack: {author: {name: "a\\nb"}}',
            "spec.writeBack.author.name cannot stand in a commit",
        ),
        (
            "Project",
            "",
            "writeBack: {author: {email: 'a <b@c>'}}",
            "spec.writeBack.author.email cannot stand in a commit",
        ),
        (
            "Release",
            f"service: a, model: m, version: 1, sequence: 1, digest: 'sha256:{ZEROS}'",
            f"service: b, model: m, version: 1, sequence: 1, digest: 'sha256:{ZEROS}'",
            'the release is called "a", its service "b"',
        ),
        (
            "Release",
            f"service: a, model: m, version: 1, sequence: 1, digest: 'sha256:{ZEROS}'",
            "service: a, model: m, version: 1, sequence: 012, digest: 'sha256:77aa'",
            'spec.sequence is "012"',
        ),
    ],
)
def test_other_kinds(kind: str, good: str, bad: str, cause: str) -> None:
    assert told(kind, good) == []
    assert cause in told(kind, bad)
