"""Models that several contracts share."""

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """Base of every message: frozen, and tolerant of fields that a newer sender adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ObjectRef(Contract):
    """A value that is kept in the object store and travels by reference."""

    key: str
    """Object key, `org/kind/sha256` for content-addressed objects."""
    sha256: str
    """Hexadecimal SHA-256 of the content; checked on every read."""
    size_bytes: int


class Tokens(Contract):
    """Tokens that one reasoner call read and wrote."""

    input: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        """Return input plus output."""
        return self.input + self.output

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(input=self.input + other.input, output=self.output + other.output)


class RunRef(Contract):
    """Which attempt of which run a message is about."""

    org_id: str
    run_id: str
    attempt: int
    """The run's attempt, from 1; a manual retry of a failed run opens the next one."""
