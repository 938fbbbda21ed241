"""The catalogue: which models can be had, from where, and by which hash they are known."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Literal

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


class Member(_Entry):
    """A file in a package."""

    requirement: str
    """Exact: `NAME==VERSION`."""
    path: str
    """In the wheel."""


class CarriedFile(_Entry):
    """One file of a model that has several: members of packages, joined in order."""

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    members: tuple[Member, ...] = Field(min_length=1)


Kind = Literal["language", "speech", "voices"]


class CatalogueModel(_Entry):
    """One model: one file out of `carriers` (a language model), or a folder of `files`."""

    name: str
    kind: Kind = "language"
    description: str
    publisher: str
    """Who published the weights, under which name; the hash is theirs."""
    licence: str
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    size_bytes: int
    memory_bytes: int
    """About what the server needs."""
    carriers: Carriers | None = None
    files: tuple[CarriedFile, ...] = ()

    @property
    def file_name(self) -> str:
        """Return the name of the assembled file, or of the folder of files."""
        return self.name if self.files else f"{self.name}.gguf"

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the exact requirement of every package, each once."""
        if self.carriers is not None:
            return self.carriers.requirements
        return tuple(dict.fromkeys(member.requirement for file in self.files for member in file.members))


@lru_cache(maxsize=1)
def catalogue() -> dict[str, CatalogueModel]:
    """Return every model by name."""
    text = files("infra.local_model").joinpath("catalogue.toml").read_text("utf-8")
    return {name: CatalogueModel(name=name, **entry) for name, entry in tomllib.loads(text)["models"].items()}


def find_model(name: str, kind: Kind | None = None) -> CatalogueModel:
    """Return a model of the catalogue.

    Raises:
        UnknownModel: there is none of this name, or of this kind; the message names those there are.
    """
    known = {each: model for each, model in catalogue().items() if kind in (None, model.kind)}
    if name not in known:
        raise UnknownModel(f"there is no model {name!r}; there are: {', '.join(sorted(known))}")
    return known[name]
