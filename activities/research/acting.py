"""Acting: which tool an agent without a model calls next, and when it has enough.

Search with the question's own words, open the best results, read a promising document in full, ask again for what is
not covered yet, look elsewhere, stop. Results of searches outside the corpus are only pointers: evidence comes from
opening them.
"""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from activities.research.about import asks_of_one
from activities.research.quantities import designations
from activities.research.questions import GENERIC_WEIGHT, key_terms, query_terms, single_questions, specific_terms
from activities.research.text import WORD, is_unspaced, stem, terms, words
from activities.research.wanted import wanted
from schema.contracts.research import AgentView, Claim, Finish, FoundItem, Passage, SourceKind, StepRecord, ToolCall
from schema.policies import (
    FETCHES_IN_VAIN_MAX,
    FETCHES_PER_HOST_MAX,
    FETCHES_PER_SEARCH_MAX,
    PASSAGES_PER_SEARCH_MAX,
)

CORPUS_TOOL = "corpus.search"
SEARCH_TOOLS = (CORPUS_TOOL, "web.search", "academic.search", "news.search")
"""In order of preference: the organisation's own documents come first."""
READ_TOOL = "document.read"
FETCH_TOOL = "web.fetch"
DATA_TOOL = "data.ask"
TOOL_ARGUMENT = {
    **dict.fromkeys(SEARCH_TOOLS, "query"),
    READ_TOOL: "document_id",
    FETCH_TOOL: "url",
    DATA_TOOL: "question",
}
"""The one argument that each tool needs."""

CLAIMS_ENOUGH = 12
CLAIMS_FEW = 6
COVERAGE_ENOUGH = 0.8
DOCUMENTS_READ_MAX = 2
QUERIES_PER_TOOL_MAX = 4
QUERY_TERMS_MAX = 12
QUERY_CHARACTERS_MAX = 200


def next_action(view: AgentView) -> ToolCall | Finish:
    """Choose the next act of an agent; the same view gives the same act."""
    if view.steps_left <= 0:
        return Finish(reason="no steps left")
    corpus_first = _search_tools(view)[:1] == [CORPUS_TOOL]
    act = _fetch_named(view) or _ask_data(view) or _each_kind(view)
    # A search outside the corpus brings pointers: they are opened before the next question is asked.
    act = act or _first_search(view, QUERIES_PER_TOOL_MAX if corpus_first else 1)
    act = act or (_asked_otherwise(view) if corpus_first else None)
    if act is not None:
        return act
    covered = coverage(view)
    if len(view.claims) >= CLAIMS_ENOUGH and covered >= COVERAGE_ENOUGH:
        return Finish(reason=f"enough evidence: {len(view.claims)} claims cover the question")
    act = _open_result(view) or _first_search(view, QUERIES_PER_TOOL_MAX) or _read_on(view)
    act = act or _deeper_search(view) or _reformulated(view) or _other_search(view)
    if act is not None:
        return act
    if not view.claims:
        return Finish(reason="nothing more to try: no source answers the question")
    return Finish(reason=f"nothing more to try: {len(view.claims)} claims cover {covered:.0%} of the question's words")


def coverage(view: AgentView) -> float:
    """Return the part of the question's key words that the claims use, by weight."""
    weights = key_terms(view.subtask.question)
    said = {term for claim in view.claims for term in terms(claim.text)}
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in said) / total if total else 1.0


def _calls(view: AgentView, tool: str) -> list[StepRecord]:
    return [step for step in view.steps if step.tool == tool]


def _tried(view: AgentView, tool: str) -> set[str]:
    name = TOOL_ARGUMENT.get(tool) or view.tool_arguments.get(tool, "")
    return {str(step.arguments.get(name, "")) for step in _calls(view, tool)}


def _fetch_named(view: AgentView) -> ToolCall | None:
    if FETCH_TOOL not in view.tools:
        return None
    tried = _tried(view, FETCH_TOOL)
    for url in view.subtask.urls:
        if url not in tried:
            return ToolCall(tool=FETCH_TOOL, arguments={"url": url}, reason="the user named this address")
    return None


def _ask_data(view: AgentView) -> ToolCall | None:
    """Ask the run's own tables each question once: what a query answers no text says better."""
    if DATA_TOOL not in view.tools or any(not step.ok for step in _calls(view, DATA_TOOL)):
        return None
    tried = _tried(view, DATA_TOOL)
    for question in single_questions(view.subtask.question)[:QUERIES_PER_TOOL_MAX]:
        if question not in tried:
            return ToolCall(tool=DATA_TOOL, arguments={"question": question}, reason="the run has files of data")
    return None


def _search_tools(view: AgentView) -> list[str]:
    """Return what the agent can search with, by preference; what only ever failed is left alone."""
    usable = [tool for tool in (*SEARCH_TOOLS, *view.tool_arguments) if tool in view.tools]
    return [tool for tool in usable if not (calls := _calls(view, tool)) or any(step.ok for step in calls)]


def _search(view: AgentView, tool: str, query: str, reason: str) -> ToolCall:
    return ToolCall(tool=tool, arguments={view.tool_arguments.get(tool, "query"): query}, reason=reason)


def _each_kind(view: AgentView) -> ToolCall | None:
    """Ask every kind of source that the user named once, before going deeper anywhere."""
    named = view.brief.context.get("sources")
    if not isinstance(named, list) or len(named) < 2:
        return None
    query = search_query(single_questions(view.subtask.question)[0])
    for tool in _search_tools(view):
        if query and not _calls(view, tool):
            return _search(view, tool, query, "the user named this kind of source")
    return None


def _first_search(view: AgentView, questions_max: int) -> ToolCall | None:
    tools = _search_tools(view)
    if not tools:
        return None
    for question in single_questions(view.subtask.question)[:questions_max]:
        query = search_query(question)
        if query and query not in _tried(view, tools[0]):
            return _search(view, tools[0], query, "first search")
    return None


def _open_result(view: AgentView) -> ToolCall | None:
    """Open the best result that was not opened yet, of the host that was opened least, until nothing new comes."""
    if FETCH_TOOL not in view.tools:
        return None
    found = {item.read_url: item for step in reversed(view.steps) for item in step.results}
    searches = sum(1 for step in view.steps if step.results)
    opened = [step for step in _calls(view, FETCH_TOOL) if step.arguments.get("url") in found]
    if len(opened) >= searches * FETCHES_PER_SEARCH_MAX or _in_vain(view, opened) >= FETCHES_IN_VAIN_MAX:
        return None
    hosts = Counter(_host(str(step.arguments["url"])) for step in opened)
    item = _best_unread(view, list(found.values()), hosts)
    if item is None:
        return None
    arguments = {"url": item.read_url, "kind": item.kind.value}
    return ToolCall(tool=FETCH_TOOL, arguments=arguments, reason=f"“{item.title[:100]}” looks like it answers")


def _best_unread(view: AgentView, found: Sequence[FoundItem], hosts: Counter[str]) -> FoundItem | None:
    tried = _tried(view, FETCH_TOOL)
    on_topic = any(item.score.relevance > 0 for item in found)
    unread = [
        item
        for item in found
        if item.read_url not in tried
        and hosts[_host(item.read_url)] < FETCHES_PER_HOST_MAX
        # An abstract that came with the search is read already.
        and not (item.has_text and item.full_text_url is None)
        and (item.score.relevance > 0 or not on_topic)
    ]
    return min(unread, key=lambda item: (hosts[_host(item.read_url)], -round(item.score.combined, 9)), default=None)


def _in_vain(view: AgentView, opened: Sequence[StepRecord]) -> int:
    """Count the last results in a row that brought no claim."""
    cited = {claim.source.snapshot_sha256 for claim in view.claims}
    count = 0
    for step in reversed(opened):
        if cited & set(step.snapshots):
            break
        count += 1
    return count


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def search_query(question: str) -> str:
    """Return the words to search for: the question's own and its names; a short one takes some of its topic."""
    if is_unspaced(question):
        # Whoever indexes such a script cuts it himself, and better than into pairs.
        return " ".join(WORD.findall(question))[:QUERY_CHARACTERS_MAX]
    asked = query_terms(question)
    found = [term.word for term in asked if term.weight == 1.0 or term.is_name]
    if len(found) < 2:
        found += [term.word for term in asked if term.word not in found][: 3 - len(found)]
    return " ".join(_with_designations(question, found[:QUERY_TERMS_MAX]))


def _asked_otherwise(view: AgentView) -> ToolCall | None:
    """Ask for a property of something named in the words of others too, and for all that is said of the thing.

    One source alone cannot show that another one disagrees.
    """
    tools = _search_tools(view)
    question = next((each for each in single_questions(view.subtask.question) if asks_of_one(each)), "")
    asked = wanted(question)
    if not tools or not question or not all(step.ok for step in _calls(view, tools[0])):
        return None
    subject = [term.word for term in query_terms(question) if term.stem in asked.subject][:4]
    subject = _with_designations(question, subject)
    other = [word for word in asked.other_words() if stem(word) not in key_terms(question)]
    for query in (" ".join([*subject, *other[:QUERY_TERMS_MAX]]), " ".join(subject)):
        if query not in _tried(view, tools[0]):
            arguments = {"query": query, "limit": PASSAGES_PER_SEARCH_MAX}
            return ToolCall(tool=tools[0], arguments=arguments, reason="other sources may say it in other words")
    return None


def _with_designations(question: str, found: Sequence[str]) -> list[str]:
    """Write names that carry digits as the question does (Zephyr-9, not Zephyr)."""
    named = {words(name)[0]: name for name in sorted(designations(question)) if words(name)}
    return [named.get(word, word) for word in found]


def _read_on(view: AgentView) -> ToolCall | None:
    """Read the document that answered best so far beyond the passages that were found."""
    if len(view.claims) >= 2 * CLAIMS_ENOUGH:
        return None
    pointed_to = {item.read_url for step in view.steps for item in step.results}
    fetched = [step for step in _calls(view, FETCH_TOOL) if not _is_named(view, step)]
    reads = _calls(view, READ_TOOL) + [step for step in fetched if step.arguments.get("url") not in pointed_to]
    if len(reads) >= DOCUMENTS_READ_MAX:
        return None
    read_already = {sha256 for step in _calls(view, FETCH_TOOL) for sha256 in step.snapshots}
    for claim in _best_sources(view.claims):
        source = claim.source
        if source.snapshot_sha256 in read_already or source.kind is SourceKind.ACADEMIC:
            continue
        if source.document_id and READ_TOOL in view.tools and source.document_id not in _tried(view, READ_TOOL):
            return ToolCall(
                tool=READ_TOOL,
                arguments=read_arguments(view, source.document_id),
                reason=f"“{source.title}” answers well; reading on",
            )
        if _is_web(source.uri) and FETCH_TOOL in view.tools and source.uri not in _tried(view, FETCH_TOOL):
            return ToolCall(
                tool=FETCH_TOOL, arguments={"url": source.uri}, reason=f"“{source.title}” answers well; reading on"
            )
    return None


def read_arguments(view: AgentView, document_id: str) -> dict[str, object]:
    """Return the arguments that read a document around the best evidence found in it so far."""
    found = [claim for claim in view.claims if claim.source.document_id == document_id]
    if not found:
        return {"document_id": document_id}
    best = max(found, key=lambda claim: (claim.relevance, -claim.start))
    return {"document_id": document_id, "around": best.start}


def _is_named(view: AgentView, step: StepRecord) -> bool:
    return step.arguments.get("url") in view.subtask.urls


def _is_web(uri: str) -> bool:
    return urlsplit(uri).scheme in ("http", "https")


def _best_sources(claims: Sequence[Claim]) -> list[Claim]:
    """Return one claim per source, of the sources that gave most relevant evidence first."""
    weight: dict[str, float] = {}
    first: dict[str, Claim] = {}
    for claim in claims:
        sha = claim.source.snapshot_sha256
        weight[sha] = weight.get(sha, 0.0) + claim.relevance
        first.setdefault(sha, claim)
    return [first[sha] for sha in sorted(weight, key=lambda sha: (-weight[sha], sha)) if weight[sha] >= 0.25]


def _deeper_search(view: AgentView) -> ToolCall | None:
    """Ask the first question once more, for more passages, where the first answer gave little."""
    calls = [step for tool in _search_tools(view)[:1] for step in _calls(view, tool)]
    if len(view.claims) >= CLAIMS_FEW or len(calls) != 1 or not calls[0].ok:
        return None
    if calls[0].tool not in SEARCH_TOOLS:
        return None
    more = {"limit": PASSAGES_PER_SEARCH_MAX} if calls[0].tool == CORPUS_TOOL else {"page": 2}
    arguments = {**calls[0].arguments, **more}
    return ToolCall(tool=calls[0].tool, arguments=arguments, reason="little evidence yet; looking further down")


def _reformulated(view: AgentView) -> ToolCall | None:
    """Ask again for what no claim mentions, tied to the rarest word of the question."""
    tools = _search_tools(view)
    if not tools:
        return None
    tool = tools[0]
    # Pairs of characters, put together anew, are no question in a script without spaces.
    if len(_calls(view, tool)) >= QUERIES_PER_TOOL_MAX or is_unspaced(view.subtask.question):
        return None
    said = {term for claim in view.claims for term in terms(claim.text)}
    wanted = [term.word for term in query_terms(view.subtask.question) if term.weight > GENERIC_WEIGHT]
    missing = [word for word in wanted if stem(word) not in said]
    anchor = [word for word in wanted if stem(word) in said][:2]
    for query in _variants(view, missing, anchor):
        if query and query not in _tried(view, tool):
            reason = f"not covered yet: {', '.join(missing[:4])}" if missing else "too little evidence; other words"
            return _search(view, tool, query, reason)
    return None


def _variants(view: AgentView, missing: list[str], anchor: list[str]) -> list[str]:
    few = len(view.claims) < 3
    found = [" ".join([*missing[:4], *anchor])] if missing else []
    if few:
        found.append(" ".join(specific_terms(view.subtask.title)[:6]))
        longest = sorted(specific_terms(view.subtask.question), key=lambda word: (-len(word), word))
        found.append(" ".join(longest[:2]))
    if view.steps and view.steps[-1].passages and few:
        found.append(" ".join([*anchor, *_feedback(view.steps[-1].passages, view)][:6]))
    return found


def _feedback(passages: Sequence[Passage], view: AgentView) -> list[str]:
    """Return the title words of what was found best: the corpus' own words for the topic."""
    own = key_terms(view.subtask.question)
    return [word for word in specific_terms(passages[0].source.title) if stem(word) not in own][:3]


def _other_search(view: AgentView) -> ToolCall | None:
    """Look where the agent has not looked yet."""
    query = search_query(single_questions(view.subtask.question)[0])
    if len(view.claims) >= CLAIMS_ENOUGH or not query:
        return None
    for tool in _search_tools(view)[1:]:
        if not _calls(view, tool):
            return _search(view, tool, query, "too little evidence; looking elsewhere")
    return None
