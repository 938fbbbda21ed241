"""Part (b), optional: questions about the manuals of PostgreSQL and SQLite, where Debian's packages can be had."""

from tests.eval.asking import Bench
from tests.eval.library import debian_manuals
from tests.eval.metrics import Table
from tests.eval.planting import Split
from tests.eval.real import answered, questions


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure the questions of `data/manuals.toml`; held-out all of them: nothing was looked at in development."""
    asked, _ = questions("manuals")
    files, reason = debian_manuals({page for question in asked for page in question.pages})
    if not files:
        return [Table("(b) manuals of PostgreSQL and SQLite", notes=[reason])]
    with bench.asker(files) as asker:
        title = f"(b) manuals of PostgreSQL and SQLite, {len(files)} pages: {len(asked)} questions"
        return [answered(asker, asked, title)]
