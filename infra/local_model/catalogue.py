"""The catalogue: which models can be had, from where, and by which hash they are known."""

import tomllib
from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MODEL = "qwen2.5-coder-1.5b"


class UnknownModel(LookupError):
    """The catalogue has no model of this name."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Carriers(_Entry):
    """Packages that carry the weights: part 1..`parts`, each with one file below a folder `data`."""

    name: str
    """Package name; `{part}` stands for the part's number."""
    version: str
    parts: int = Field(ge=1, le=99)

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the exact requirement of every part, in order."""
        return tuple(f"{self.name.format(part=part)}=={self.version}" for part in range(1, self.parts + 1))


class CatalogueModel(_Entry):
    """One model."""

    name: str
    description: str
    publisher: str
    """Who published the weights, under which name; the hash is theirs."""
    licence: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int
    memory_bytes: int
    """About what the server needs."""
    carriers: Carriers

    @property
    def file_name(self) -> str:
        """Return the name of the assembled file."""
        return f"{self.name}.gguf"


@lru_cache(maxsize=1)
def catalogue() -> dict[str, CatalogueModel]:
    """Return every model by name."""
    text = files("infra.local_model").joinpath("catalogue.toml").read_text("utf-8")
    return {name: CatalogueModel(name=name, **entry) for name, entry in tomllib.loads(text)["models"].items()}


def find_model(name: str) -> CatalogueModel:
    """Return a model of the catalogue.

    Raises:
        UnknownModel: there is none of this name; the message names those there are.
    """
    known = catalogue()
    if name not in known:
        raise UnknownModel(f"there is no model {name!r}; there are: {', '.join(sorted(known))}")
    return known[name]
