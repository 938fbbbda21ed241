"""Where the API is and with which key: from the environment, or from the file that `swissbrain up` writes."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

DATA_DIR = Path(".swissbrain")
URL_VARIABLE = "SWISSBRAIN_API_URL"
KEY_VARIABLE = "SWISSBRAIN_API_KEY"


class NoEndpoint(Exception):
    """Nothing says where the API is."""


@dataclass(frozen=True)
class Endpoint:
    """One API and a key for it."""

    api_url: str
    api_key: str


def find_endpoint(data_dir: Path | None = None) -> Endpoint:
    """Return the endpoint: of `data_dir` if given, else of the environment, else of `.swissbrain`.

    Raises:
        NoEndpoint: there is none; the text says what to do.
    """
    url, key = os.environ.get(URL_VARIABLE), os.environ.get(KEY_VARIABLE)
    if data_dir is None and url and key:
        return Endpoint(url, key)
    path = (data_dir or DATA_DIR) / "endpoint.json"
    try:
        written = json.loads(path.read_text())
        return (
            Endpoint(url or written["api_url"], key or written["api_key"])
            if data_dir is None
            else Endpoint(written["api_url"], written["api_key"])
        )
    except (OSError, ValueError, KeyError) as error:
        raise NoEndpoint(
            f"Cannot read {path}. Start the stack with `swissbrain up`, name its folder with --data-dir, or set "
            f"{URL_VARIABLE} and {KEY_VARIABLE}."
        ) from error
