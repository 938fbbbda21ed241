"""`swissbrain sources` and `swissbrain domains ...`: what a run met and why it used it, and whom to trust."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from client.commands.common import AsJson, DataDir, connected, out, show_json, show_table

app = typer.Typer(help="Trust in the domains that sources come from.", no_args_is_help=True)

Domain = Annotated[str, typer.Argument(help="For example example.org; all that is below it counts too.")]
SOURCES_MAX = 10_000


def sources(
    run_id: Annotated[str, typer.Argument(help="Id of the run, `run_...`.")],
    source_id: Annotated[str | None, typer.Argument(help="One of its sources, `src_...`, with its evidence.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show every source that a run met, its score, and why it was used or not; or one source with its evidence."""
    with connected(data_dir) as client:
        if source_id is not None:
            _show_source(client.source(run_id, source_id), as_json)
            return
        found = list(client.sources(run_id, limit=SOURCES_MAX))
    if as_json:
        show_json(found)
        return
    rows = ({**source, **source["score"], "score": source["score"]["combined"]} for source in found)
    columns = {
        "n": "number",
        "score": "score",
        "relevance": "relevance",
        "trust": "trust",
        "recency": "recency",
        "why": "why",
        "title": "title",
        "address": "uri",
        "id": "id",
    }
    show_table(rows, columns)


def _show_source(source: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(source)
        return
    out.print(f"{escape(source['title'])}  {escape(source['uri'])}", highlight=False)
    out.print(escape(source["why"]), highlight=False)
    for part in ("relevance", "trust", "recency"):
        reason = source["score"]["reasons"].get(part, "")
        out.print(f"  {part:<10} {source['score'][part]:.2f}  {escape(str(reason))}", highlight=False)
    for claim in source["evidence"]:
        before, after = escape(claim["before"][-100:]), escape(claim["after"][:100])
        out.print(f"\n{claim['id']}  agent {claim['agent']}", highlight=False)
        out.print(f"…{before}[bold]{escape(claim['quote'])}[/bold]{after}…", highlight=False)


@app.command("list")
def list_domains(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the domains whose trust the organisation set."""
    with connected(data_dir) as client:
        found = list(client.list_domains(limit=SOURCES_MAX))
    if as_json:
        show_json(found)
        return
    show_table(iter(found), {"domain": "domain", "trust": "trust", "note": "note", "updated": "updated_at"})


@app.command("trust")
def trust_domain(
    domain: Domain,
    trust: Annotated[float, typer.Argument(min=0, max=1, help="0..1.")],
    note: Annotated[str, typer.Option(help="Why; it is shown with its sources.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Set how far sources of a domain are trusted."""
    with connected(data_dir) as client:
        show_json(client.trust_domain(domain, trust, note=note))


@app.command("forget")
def forget_domain(domain: Domain, data_dir: DataDir = None) -> None:
    """Let the shipped trust in a domain count again."""
    with connected(data_dir) as client:
        client.forget_domain(domain)
