"""``gnomon predict``: ask a service, as any client of the Open Inference Protocol would."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from gnomon.cli.client import ControlClient, escaped, http_client, parse_reference
from gnomon.cli.output import Column, Format, Output, print_document, print_rows, say
from gnomon.data.values import MISSING_TEXTS
from gnomon.errors import GatewayError, GnomonError, InputError, NotFoundError, OperatorUnreachableError, UsageError
from gnomon.resources.wording import did_you_mean

_EVERYWHERE = {"0.0.0.0", "[::]"}  # noqa: S104 - compared with, not listened on


def predict(
    service: Annotated[str, typer.Argument(help="The service.")],
    data: Annotated[str | None, typer.Option(help="Rows as JSON: one object, or a list of objects.")] = None,
    file: Annotated[Path | None, typer.Option(help="Rows in a .json or a .csv file.")] = None,
    url: Annotated[str | None, typer.Option(help="The gateway (default: the operator tells, or GNOMON_SERVE_URL).")] = None,
    version: Annotated[str | None, typer.Option(help="A loaded version other than the one that serves.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Predict rows with the version that serves now.

    A CSV file may hold columns that the model does not read; its fields mean what they mean in a dataset's file.
    """
    name = parse_reference(service, "Service").name
    base, number = _base(url), (version or "").removeprefix("v")
    path = f"/v2/models/{escaped(name)}" + (f"/versions/{escaped(number)}" if number else "")
    rows = _read(data, file)
    with http_client(base, "the gateway's address", "give it as --url http://HOST:PORT") as http:
        metadata = _answer(http, "GET", path, name)
        tensors = _tensors(rows, metadata)
        answer = _answer(http, "POST", f"{path}/infer", name, {"inputs": tensors})
    if output in {Format.JSON, Format.YAML}:
        print_document(answer, output)
        return
    outputs = {tensor["name"]: _by_row(tensor, len(rows.rows)) for tensor in answer["outputs"]}
    columns = [Column(output_name.upper(), output_name) for output_name in outputs]
    print_rows([{key: values[i] for key, values in outputs.items()} for i in range(len(rows.rows))], columns, output)
    say(f"{answer['model_name']} v{answer['model_version']}, id {answer['id']}", err=True)


@dataclass(frozen=True)
class _Rows:
    """Rows as they were given; ``is_text``: the fields of a CSV file, whose types the model's metadata tell."""

    rows: Sequence[Mapping[str, Any]]
    is_text: bool


def _base(url: str | None) -> str:
    given = url or os.environ.get("GNOMON_SERVE_URL")
    if given:
        return given
    client = ControlClient()
    try:
        host, _, port = client.get("/source")["serve"].rpartition(":")
    except OperatorUnreachableError as error:
        raise OperatorUnreachableError(
            error.cause, "the gateway may still serve: name it with --url or GNOMON_SERVE_URL; else see `gnomon up --help`"
        ) from error
    # A gateway that listens everywhere is reached where its operator is.
    return f"http://{urlsplit(client.url).netloc.rpartition(':')[0] if host in _EVERYWHERE else host}:{port}"


def _answer(http: httpx.Client, method: str, path: str, name: str, body: Mapping[str, Any] | None = None) -> Any:
    try:
        content = json.dumps(body, allow_nan=False).encode() if body is not None else None
    except ValueError:
        raise InputError("a value is not a finite number, or no text", "write null where a value is missing") from None
    try:
        answer = http.request(method, path, content=content)
        document = answer.json()
    except httpx.RequestError as error:
        raise GatewayError(f"no gateway answers at {http.base_url}: {error}", "see `gnomon status`, or give --url") from error
    except ValueError:
        document = None
    if not isinstance(document, dict) or (answer.is_error and "error" not in document):
        raise UsageError(
            f"what answers at {http.base_url} is no gateway (status {answer.status_code})", "give its address with --url"
        )
    if not answer.is_error:
        return document
    cause = str(document["error"])
    if answer.status_code == httpx.codes.NOT_FOUND:
        known = http.post("/v2/repository/index").json()
        names = sorted({str(model["name"]) for model in known})
        mend = did_you_mean(name, names, what="services") if name not in names else f"see `gnomon history {name}`"
        raise NotFoundError(cause.partition(": POST ")[0], mend)
    if answer.status_code == httpx.codes.BAD_REQUEST:
        raise InputError(cause, f"see {http.base_url.join(path.removesuffix('/infer'))} for what the model reads")
    raise GnomonError(cause, f"see `gnomon describe service/{name}`")


def _read(data: str | None, file: Path | None) -> _Rows:
    if (data is None) == (file is None):
        raise UsageError("give the rows once", "with --data '{\"column\": value}' or with --file rows.csv")
    try:
        text = data if data is not None else _text(file)
        if file is not None and file.suffix.lower() == ".csv":
            return _Rows(_csv_rows(text, file), is_text=True)
        rows = json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8", "save it as UTF-8") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"the rows are not JSON: {error}", 'write them as [{"column": value, ...}, ...]') from None
    rows = rows if isinstance(rows, list) else [rows]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UsageError("the rows are not objects", 'write them as [{"column": value, ...}, ...]')
    return _Rows(rows, is_text=False)


def _text(file: Path | None) -> str:
    if file is None or not file.is_file():
        raise UsageError(f"{file} is not a file", "give a .json or .csv file with rows")
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "check its permissions") from error


def _refuse_constant(name: str) -> None:
    raise UsageError(f"{name} is no value in JSON", "write null where a value is missing")


def _csv_rows(text: str, file: Path) -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        raise UsageError(f"{file}:{reader.line_num}: {error}", "mend the file") from None
    if len(lines) < 2:
        raise UsageError(f"{file} holds no rows", "give a header line, and a line for each row")
    names = [name.strip() for name in lines[0][1]]
    if len(set(names)) != len(names):
        raise UsageError(f"{file} names a column twice", "give every column a name of its own")
    for number, fields in lines[1:]:
        if len(fields) != len(names):
            raise UsageError(f"{file}:{number}: {len(fields)} fields under a header of {len(names)}", "mend the line")
    return [dict(zip(names, fields, strict=True)) for _, fields in lines[1:]]


def _tensors(given: _Rows, metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows as columns. A column that no row has is not sent, and the gateway says that it is missing."""
    known = {tensor["name"]: tensor for tensor in metadata["inputs"]}
    names = dict.fromkeys(name for row in given.rows for name in row)
    if given.is_text:
        names = {name: None for name in names if name in known}
    for name in names:
        if name not in known:
            raise InputError(f"the model reads no column {name!r}", did_you_mean(name, known, what="columns"))
    tensors = []
    for name in names:
        values = [row.get(name) for row in given.rows]
        if given.is_text:
            values = [_typed(str(text), name, known[name], row) for row, text in enumerate(values, 1)]
        elif known[name]["datatype"] == "INT64":
            values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
        tensors.append({"name": name, "shape": [len(values)], "datatype": known[name]["datatype"], "data": values})
    return tensors


def _typed(text: str, name: str, tensor: Mapping[str, Any], row: int) -> str | float | bool | None:
    """Return a field of a CSV file as a value of the column's type, read as the intake reads a dataset's files."""
    kind = (tensor.get("parameters") or {}).get("kind")
    if text == "" or (kind != "string" and text.strip() in MISSING_TEXTS):
        return None
    if tensor["datatype"] == "BYTES":
        return text
    try:
        return _truth(text.strip()) if tensor["datatype"] == "BOOL" else _number(text.strip())
    except ValueError:
        wanted = "a boolean" if tensor["datatype"] == "BOOL" else "a number"
        raise InputError(f"column {name!r}, row {row}: {text[:40]!r} is not {wanted}", "mend the file") from None


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError(text)
    return text.lower() in {"true", "1"}


def _number(text: str) -> float:
    try:
        return int(text)  # A float would round what is larger than 2**53.
    except ValueError:
        return float(text)


def _by_row(tensor: Mapping[str, Any], rows: int) -> list[Any]:
    data: list[Any] = tensor["data"]
    width = len(data) // rows if rows else 0
    return data if width == 1 else [data[i * width : (i + 1) * width] for i in range(rows)]
