"""``gnomon predict``: ask a service, as any client of the Open Inference Protocol would."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from gnomon.cli.client import ControlClient, split_reference
from gnomon.cli.get import Output
from gnomon.cli.output import Column, Format, print_document, print_rows
from gnomon.errors import GatewayError, GnomonError, InputError, UsageError

_TIMEOUT_S = 30.0
_NUMBERS = {"FP64": float, "FP32": float, "INT64": int, "INT32": int}


def predict(
    service: Annotated[str, typer.Argument(help="The service.")],
    data: Annotated[str | None, typer.Option(help="Rows as JSON: one object, or a list of objects.")] = None,
    file: Annotated[Path | None, typer.Option(help="Rows in a .json or .csv file.")] = None,
    url: Annotated[str | None, typer.Option(help="The gateway (default: the operator tells, or GNOMON_SERVE_URL).")] = None,
    version: Annotated[str | None, typer.Option(help="A loaded version other than the one that serves.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Predict rows with the version that serves now."""
    _, name = split_reference(service, "service")
    base = url or os.environ.get("GNOMON_SERVE_URL") or f"http://{ControlClient().get('/source')['serve']}"
    path = f"/v2/models/{name}" + (f"/versions/{version.removeprefix('v')}" if version else "")
    with httpx.Client(base_url=base, timeout=_TIMEOUT_S, trust_env=False) as http:
        metadata = _answer(http, "GET", path, None)
        rows = _rows(data, file, metadata)
        answer = _answer(http, "POST", f"{path}/infer", {"inputs": _inputs(rows, metadata)})
    if output in {Format.JSON, Format.YAML}:
        print_document(answer, output)
        return
    outputs = {tensor["name"]: _by_row(tensor, len(rows)) for tensor in answer["outputs"]}
    columns = [Column(output_name.upper(), output_name) for output_name in outputs]
    print_rows([{key: values[i] for key, values in outputs.items()} for i in range(len(rows))], columns, output)
    typer.echo(f"{answer['model_name']} v{answer['model_version']}, id {answer['id']}", err=True)


def _answer(http: httpx.Client, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
    try:
        answer = http.request(method, path, json=body)
    except httpx.TransportError as error:
        raise GatewayError(f"no gateway answers at {http.base_url}: {error}", "see `gnomon status`, or give --url") from error
    document = answer.json()
    if answer.is_error:
        cause = str(document.get("error", answer.text))
        raise (InputError if answer.status_code == httpx.codes.BAD_REQUEST else GnomonError)(cause, "see `gnomon get services`")
    return document


def _rows(data: str | None, file: Path | None, metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    if (data is None) == (file is None):
        raise UsageError("give the rows once", "with --data '{\"column\": value}' or with --file rows.csv")
    if file is not None and not file.is_file():
        raise UsageError(f"{file} is not a file", "give a .json or .csv file with rows")
    if file is not None and file.suffix == ".csv":
        with file.open(newline="") as text:
            return [_typed(row, metadata) for row in csv.DictReader(text)]
    try:
        rows = json.loads(data if data is not None else file.read_text() if file is not None else "")
    except json.JSONDecodeError as error:
        raise UsageError(f"the rows are not JSON: {error}", 'write them as [{"column": value, ...}, ...]') from None
    rows = rows if isinstance(rows, list) else [rows]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UsageError("the rows are not objects", 'write them as [{"column": value, ...}, ...]')
    return rows


def _typed(row: Mapping[str, str | None], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a CSV file with the types that the model's metadata names; columns that it does not read are left out."""
    typed: dict[str, Any] = {}
    for tensor in metadata["inputs"]:
        text = row.get(tensor["name"])
        if text is None or text == "":
            typed[tensor["name"]] = None
        elif tensor["datatype"] == "BOOL":
            typed[tensor["name"]] = text.lower() in {"true", "1", "t", "yes"}
        elif tensor["datatype"] in _NUMBERS:
            typed[tensor["name"]] = _number(tensor["name"], text)
        else:
            typed[tensor["name"]] = text
    return typed


def _number(column: str, text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        if text in {"NA", "NaN", "null", "N/A"}:
            return None
        raise InputError(f"column {column}: {text!r} is not a number", "mend the file") from None


def _inputs(rows: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    tensors = []
    datatypes = {tensor["name"]: tensor["datatype"] for tensor in metadata["inputs"]}
    for name in dict.fromkeys(key for row in rows for key in row):
        values = [row.get(name) for row in rows]
        datatype = datatypes.get(name, "BYTES")
        if datatype == "INT64":
            values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
        tensors.append({"name": name, "shape": [len(rows)], "datatype": datatype, "data": values})
    return tensors


def _by_row(tensor: Mapping[str, Any], rows: int) -> list[Any]:
    data: list[Any] = tensor["data"]
    width = len(data) // rows if rows else 0
    return data if width == 1 else [data[i * width : (i + 1) * width] for i in range(rows)]
