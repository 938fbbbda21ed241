"""Query parameters that a route does not have are refused, as unknown fields of a body are.

A filter with a slip in its name would otherwise answer with everything.
"""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError


def refuse_unknown_parameters(request: Request, operation_id: str) -> None:
    """Compare a request with what the OpenAPI document says of the operation.

    Raises:
        RequestValidationError: a parameter is not documented.
    """
    if not request.query_params:
        return
    known = _documented(request.app, operation_id)
    if unknown := [name for name in request.query_params if name not in known]:
        raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name)} for name in unknown])


def _documented(app: FastAPI, operation_id: str) -> set[str]:
    operations = (operation for item in app.openapi()["paths"].values() for operation in item.values())
    found = next(operation for operation in operations if operation["operationId"] == operation_id)
    return {parameter["name"] for parameter in found.get("parameters", ()) if parameter["in"] == "query"}
