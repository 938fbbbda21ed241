"""Text: words, stems, whole sentences of prose with exact offsets, and their readable form.

Documents come as plain text, Markdown, reStructuredText or what a web page leaves behind. Only prose survives here:
code, tables, markup, headings and sentences that are cut off do not. Nothing here knows a question; see `ranking.py`.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

from activities.research.lexicon import words_of

WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['’][^\W_]+)?")

_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d]+")
"""Runs of the scripts that put no spaces between words: Thai, kana, Han."""

STOP_WORDS = words_of("stop_words")
FUNCTION_WORDS = STOP_WORDS | words_of("function_words")
"""Words that a sentence has and a heading, a table row or a line of code has not."""

GENERIC_WORDS = words_of("generic_words")
"""Words of a question that say little about what it is about; they weigh little in a search."""

_ABBREVIATIONS = words_of("abbreviations")

_STEMMER = snowballstemmer.stemmer("english")
_STEMMER_LOCK = threading.Lock()


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return the stem of a lower-case word; possessive endings fall away first."""
    word = word.replace("’", "'")
    word = word.removesuffix("'s")
    with _STEMMER_LOCK:  # The stemmer keeps its state in itself.
        return str(_STEMMER.stemWord(word))


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    """Return a lower-case word without plural or possessive ending; nearer to the word than its stem is."""
    word = word.replace("’", "'").removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=65_536)
def uninflected(word: str) -> str:
    """Return a lower-case word without the endings of its forms (chained, chaining, chains); *generator* stays."""
    word = singular(word)
    if len(word) > 4 and word.endswith("ied"):
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word.removesuffix(ending)
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


def words(text: str) -> list[str]:
    """Return the word tokens of `text`, lower-case; pairs of characters where a script puts no spaces between words.

    Pairs are how search engines index such scripts without a dictionary (Lucene's CJKBigramFilter).
    """
    found = [word.lower() for word in WORD.findall(text)]
    return (
        found if text.isascii() or not _UNSPACED.search(text) else [part for token in found for part in _parts(token)]
    )


def _parts(token: str) -> Iterator[str]:
    position = 0
    for run in _UNSPACED.finditer(token):
        if run.start() > position:
            yield token[position : run.start()]
        characters = run.group()
        yield from [characters[at : at + 2] for at in range(len(characters) - 1)] or [characters]
        position = run.end()
    if position < len(token):
        yield token[position:]


def is_unspaced(text: str) -> bool:
    """Tell whether most letters of a text belong to a script that puts no spaces between words."""
    return 2 * sum(map(len, _UNSPACED.findall(text))) > sum(1 for character in text if character.isalpha())


def is_other_script(text: str) -> bool:
    """Tell whether most letters of a text are neither Latin nor of its kin: lists of English words say nothing then."""
    if text.isascii():
        return False
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(1 for character in letters if character > "\u036f") > len(letters)


def as_sentence(quote: str) -> str:
    """Return a quotation as a sentence of a report: what announced code with a colon ends like any other."""
    shown = display(quote)
    if shown.endswith(":"):
        return f"{shown[:-1]}."
    return shown


def count_words(texts: Iterable[str]) -> int:
    """Count the word tokens of all `texts`."""
    return sum(len(words(text)) for text in texts)


@lru_cache(maxsize=16_384)
def terms(text: str) -> tuple[str, ...]:
    """Return the stems of the content words of `text`, in order, with repetitions."""
    return tuple(stem(word) for word in words(text) if word not in STOP_WORDS)


def normalise(text: str) -> str:
    """Collapse white space: the only change that separates a claim's text from its quote."""
    return " ".join(text.split())


_DISPLAY: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^\[!\w+\]\s*"), ""),
    (re.compile(r"(?<=\w)\s*<(?:https?|mailto):[^<>\s]+>(?:__?)?(?!\w)"), ""),
    (re.compile(r"(?<!\w):[a-z]+(?::[a-z]+)?:[.~]?(?=\w[\w.]*)"), ""),
    (re.compile(r"!\[[^\]]*\]\([^)\s]*\)"), ""),
    (re.compile(r"\[([^\]\[]+)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)"), r"\1"),
    (re.compile(r"\[([^\]\[]+)\]\[[^\]\[]*\]"), r"\1"),
    (re.compile(r":[\w:+.-]+:`~?([^`<]+?)(?:\s*<[^>`]*>)?`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^>`]*>`__?"), r"\1"),
    (re.compile(r"`([^`]+)`__?(?!\w)"), r"\1"),
    (re.compile(r"``([^`]+)``"), r"\1"),
    (re.compile(r"(?<!\w)(\*{1,3}|_{2,3}(?=[A-Z]))(?=\S)([^*]+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"`"), ""),
)


@lru_cache(maxsize=16_384)
def display(text: str) -> str:
    """Return `text` as a reader wants it: one line, without inline markup of Markdown or reStructuredText."""
    text = normalise(text)
    for pattern, replacement in _DISPLAY:
        text = pattern.sub(replacement, text)
    return normalise(text)


@dataclass(frozen=True)
class Sentence:
    """A whole sentence of prose: `source_text[start:end]`."""

    start: int
    end: int
    text: str
    """Verbatim, line breaks included."""
    block: int
    """Number of the paragraph or list item it stands in."""
    place: int
    """Place in that block, from 0."""
    heading: str
    """The nearest heading above it, or nothing."""


CODE_INDENT = 4


@dataclass(frozen=True)
class _Line:
    start: int
    text: str

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())


@dataclass(frozen=True)
class _Block:
    start: int
    end: int
    heading: str
    doubtful: bool
    """The lines right above were no prose, or stopped in the middle: the first sentence may lack its beginning."""
    is_item: bool = False
    """One of several lines that stand each for itself, as the items of a list do: it may do without a full stop."""


_LIST_ITEM = re.compile(r"\s*(?:[*+•·‣–-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"\s*([=\-~*^\"'+#.`_:])\1{2,}\s*$")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_PROMPT = re.compile(r"\s*(?:>>>|\.\.\.\s|\$\s|%\s|#!|@\w|//|/\*|\*/|<\?|\{%)")
_CODE = re.compile(
    r"""\s*(?:
        (?:def|class|async\s+def|if|elif|else|for|while|with|try|except|finally|match|case)\b[^.]*:\s*(?:\#.*)?$|
        (?:from\s+[\w.]+\s+)?import\s+[\w.{*(]|
        (?:return|raise|yield|await|print|pip|npm|sudo|curl|git|docker|cd|export|make|apt-get)\s+[\w\"'({\[\-./]*\s*$|
        (?:pip|pip3|npm|sudo|curl|git|docker|apt-get|uv|poetry)\s+\w+\s+\S+|
        [\w.\[\]\"']+(?:\s*,\s*[\w.\[\]\"']+)*\s*(?:[+\-*/|&]?=|:=|::=|->)\s*\S|
        [\w.]+\([^)]*\)\s*(?:->.*|:)?\s*$|
        [\]\[{}()\s,;]+$
    )""",
    re.VERBOSE,
)
_CODE_ANYWHERE = re.compile(r"::=|[;{]\s*$|\)\s*->|=>|&&|\|\||==|!=|^\s*\w+\(.*\)\s*$")
_MARKUP_LINE = re.compile(r"\s*(?:<(?!https?:)[!/a-zA-Z]|\[?!\[|\.\.\s|:[\w -]+:(?:\s|$)|\[[^\]]+\]:\s|\.\. _)")
_TABLE = re.compile(r"\s*(?:\||\+[-=+]{3,})|.*\S\s+\|\s+\S.*\||\s*[=-]{3,}(?:\s+[=-]{2,})+\s*$")
_CLOSED = re.compile(r"[.!?:;。！？][\"'”’)\]*_`]*\s*$")
_OPENING = " \"'“‘(*`["
_OPEN_END = re.compile(r"[,(\[–—-]\s*$")
WRAPPED_WIDTH_MAX = 200
"""A text with longer lines is not wrapped."""
ROOM_MEANT = 30
"""Where so many characters were left on the line above for the next word, the break was meant."""


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for raw in text.splitlines(keepends=True):
        yield _Line(start, raw.rstrip("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
        start += len(raw)


def _is_debris(line: str) -> bool:
    """Tell whether a line is markup, a row or code; a line of prose may speak of code."""
    if _MARKUP_LINE.match(line) or _TABLE.match(line) or _PROMPT.match(line):
        return True
    return bool(_CODE.match(line) or _CODE_ANYWHERE.search(line)) and not _is_prose(line)


PROSE_WORDS_MIN, PROSE_FUNCTION_SHARE = 8, 0.2
"""So many words, and so many of them such as every sentence has: prose, whatever signs stand in it."""


def _is_prose(text: str) -> bool:
    tokens = words(text)
    functional = sum(1 for token in tokens if token in FUNCTION_WORDS)
    return len(tokens) >= PROSE_WORDS_MIN and functional >= PROSE_FUNCTION_SHARE * len(tokens) and not _is_code(text)


def _indented_prose(text: str) -> frozenset[int]:
    """Return where the lines of those paragraphs begin that are indented as code is, and are prose."""
    found: set[int] = set()
    group: list[_Line] = []
    for line in (*_lines(text), _Line(len(text), "")):
        if group and (not line.text.strip() or line.indent != group[0].indent):
            if _is_paragraph(group):
                found.update(each.start for each in group)
            group = []
        if line.text.strip() and line.indent >= CODE_INDENT:
            group.append(line)
    return frozenset(found)


def _is_paragraph(lines: Sequence[_Line]) -> bool:
    shown = " ".join(line.text.strip() for line in lines)
    ends = _CLOSED.search(shown) or _LIST_ITEM.match(lines[0].text)
    return bool(ends) and _is_prose(shown) and not any(_is_debris(line.text) or _is_comment(line) for line in lines)


def _is_comment(line: _Line) -> bool:
    return line.text.lstrip().startswith("#")


class _Blocks:
    """Collects the paragraphs and list items of a text; one instance per text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[_Block] = []
        self._open: list[_Line] = []
        self._content_start = 0
        self._indent = 0
        self._heading = ""
        self._fenced = False
        self._literal_indent: int | None = None
        self._doubtful = False
        self._is_item = False
        lengths = sorted(len(line.text) for line in _lines(text) if line.text.strip())
        self._width = lengths[-1] if lengths else 0
        # Of wrapped text most lines are as long as it is wide, whatever one line of code or a table is.
        self._usual = lengths[3 * len(lengths) // 4] if lengths else 0
        self._prose = _indented_prose(text)

    def collect(self) -> list[_Block]:
        for line in _lines(self._text):
            self._take(line)
        self._flush(complete=True)
        return self._found

    def _take(self, line: _Line) -> None:
        if _FENCE.match(line.text):
            self._flush(complete=True)
            self._fenced = not self._fenced
        elif self._fenced or self._in_literal(line):
            return
        elif not line.text.strip():
            self._flush(complete=True)
            self._doubtful = False
        elif self._is_underline(line):
            if len(self._open) == 1:
                self._heading = display(self._open[0].text)
                self._open = []
            self._flush(complete=True)
        elif heading := _HEADING.match(line.text):
            self._flush(complete=True)
            self._heading = display(heading.group(1))
            self._doubtful = False
        elif _is_debris(line.text) or self._is_indented_code(line):
            self._flush(complete=False)
            self._doubtful = True
        else:
            self._add(line)

    def _in_literal(self, line: _Line) -> bool:
        if self._literal_indent is None or not line.text.strip():
            return False
        if line.indent > self._literal_indent:
            return True
        self._literal_indent = None
        return False

    def _is_underline(self, line: _Line) -> bool:
        return bool(_UNDERLINE.match(line.text))

    def _is_indented_code(self, line: _Line) -> bool:
        """Four spaces mean code in an extracted document (and in Markdown), unless a list item goes on."""
        return (
            line.indent >= CODE_INDENT
            and line.start not in self._prose
            and not (self._open and line.indent == self._indent)
        )

    def _add(self, line: _Line) -> None:
        item = _LIST_ITEM.match(line.text)
        if item or not self._continues(line):
            is_item = bool(item)
            if self._open:
                above = self._open[-1].text
                stopped = len(self._open) > 1 and not _CLOSED.search(above)
                # A line that goes on in small letters may be the rest of the one above, however that came to be.
                meant = (
                    bool(item)
                    or not line.text.lstrip(_OPENING)[:1].islower()
                    or bool(_CLOSED.search(above))
                    or self._room_above(line, self._usual) > ROOM_MEANT
                )
                is_item = is_item or (meant and not stopped)
                self._is_item = meant and (self._is_item or not stopped)
                self._doubtful = stopped
                self._flush(complete=True)
            if item:
                self._doubtful = False
            self._is_item = is_item
            content = item.end() if item else line.indent
            self._content_start = line.start + content
            self._indent = content
        self._open.append(line)

    def _continues(self, line: _Line) -> bool:
        """Tell whether `line` goes on with the open block: same indentation, and no room was left on the line above.

        The second test is the typesetter's: where the next word would have fitted by far, the break was meant.
        """
        if not self._open or line.indent != self._indent:
            return False
        if line.start in self._prose and self._open[-1].start in self._prose:
            return True
        above = self._open[-1].text.rstrip()
        if self._width > WRAPPED_WIDTH_MAX:
            return False
        starts_anew = not line.text.lstrip(_OPENING)[:1].islower()
        if self._room_above(line, self._usual) > ROOM_MEANT and not _OPEN_END.search(above):
            return False
        return not (self._room_above(line, self._width) > 14 and starts_anew and not _CLOSED.search(above))

    def _room_above(self, line: _Line, width: int) -> int:
        """Return the characters that were left on the line above, had the first word of `line` been put there."""
        return width - len(self._open[-1].text.rstrip()) - 1 - len(line.text.split(maxsplit=1)[0])

    def _flush(self, *, complete: bool) -> None:
        if not self._open:
            return
        last = self._open[-1]
        end = last.start + len(last.text.rstrip())
        if last.text.rstrip().endswith("::"):
            self._literal_indent = self._open[0].indent
        if end > self._content_start:
            is_item = self._is_item and complete
            self._found.append(_Block(self._content_start, end, self._heading, self._doubtful, is_item))
            if complete and len(self._open) == 1 and _looks_like_heading(last.text):
                self._heading = display(last.text)
        self._open = []
        self._doubtful = False
        self._is_item = False


def _looks_like_heading(line: str) -> bool:
    short = len(line.strip()) <= 70 and 1 < len(line.split()) <= 9
    return short and line[:1].isupper() and not _CLOSED.search(line)


_TERMINATOR = re.compile(r"[.!?]+[\"'”’)\]*_`]*(?=\s|$)|[。！？]+[”’」』）]*")
_INITIAL = re.compile(r"(?:^|[\s(.])[A-Z]$")


def _splits(block: str, end: int, closer: re.Match[str]) -> bool:
    """Tell whether the terminator that `closer` matched ends a sentence of `block`."""
    if closer.group()[0] in "。！？" or end >= len(block):
        return True
    following = block[end:].lstrip().lstrip("\"'“‘([*_`")
    if following[:1].islower() or not following:
        return False
    if closer.group()[0] != ".":
        return True
    before = block[: closer.start()]
    word = re.split(r"[\s(\[]", before)[-1].lower().strip("\"'“‘*_`")
    return word not in _ABBREVIATIONS and not _INITIAL.search(before)


def _sentences_of(block: str, *, is_item: bool = False) -> Iterator[tuple[int, int]]:
    start = 0
    for closer in _TERMINATOR.finditer(block):
        if _splits(block, closer.end(), closer):
            while start < closer.end() and block[start].isspace():
                start += 1
            yield start, closer.end()
            start = closer.end()
    rest = block[start:].rstrip()
    if rest and ((rest.endswith(":") and not rest.endswith("::")) or (is_item and rest[-1] not in ":,;")):
        while block[start].isspace():
            start += 1
        yield start, len(block.rstrip())


def sentence_spans(block: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences of one paragraph, whole or not; what follows the last full stop too."""
    end = 0
    for start, end in _sentences_of(block):
        yield start, end
    rest = block[end:]
    if rest.strip():
        yield end + len(rest) - len(rest.lstrip()), end + len(rest.rstrip())


def sentences(text: str, *, cut_start: bool = False, title: str = "") -> list[Sentence]:
    """Return the whole sentences of prose in `text`, in order.

    Args:
        text: any text; `text[s.start:s.end] == s.text` holds for every sentence that is returned.
        cut_start: the text was cut out of a longer one, so its first sentence may have lost its beginning.
        title: what the text is about, which may be written small where a sentence begins with it.
    """
    found = []
    named = frozenset(words(title)) - STOP_WORDS
    for number, block in enumerate(_Blocks(text).collect()):
        body = text[block.start : block.end]
        for place, (start, end) in enumerate(_sentences_of(body, is_item=block.is_item)):
            verbatim = body[start:end]
            cut = cut_start and not text[: block.start + start].strip()
            if block.doubtful and start == 0:
                continue
            if is_statement(verbatim, cut=cut, is_item=block.is_item, named=named):
                at = block.start + start
                found.append(Sentence(at, at + len(verbatim), verbatim, number, place, block.heading))
    return found


STATEMENT_CHARACTERS_MIN = 20
STATEMENT_CHARACTERS_MIN_UNSPACED = 8
STATEMENT_CHARACTERS_MAX = 480
STATEMENT_WORDS_MIN = 5
INTRODUCTION_WORDS_MIN = 8
"""A sentence that ends with a colon says something itself only where it is this long."""
_NAMES_DOING = re.compile(r"(?:The )?[A-Z][\w-]+(?: [A-Z][\w-]+)* [a-z]+s (?:the )?[A-Z][\w-]+(?: [A-Z\d][\w-]*)*\.$")
"""Nothing is missing, short as it is (Acme Works makes Ulgad)."""
_TELLING = re.compile(
    r"(?!(?:Skip|Press|Click|Terms)\b)(?:The )?[A-Z][\w-]+(?: [A-Z][\w-]+)* [a-z]{2,}s "
    r"(?=[^:;?]*\b(?:the|an?|of|in|on|at|for|from|with|by|as|among|around|into|out|its?|their|no|all|\d+)\b)[^:;?]*\.$|"
    r"(?!(?:Next|Previous|Chapter|Part|Section|Figure|Table|Open|Filed|Posted|Read|See|Share|Last|Related)\b)"
    r"[A-Z][a-z]+(?: [a-z]+){1,4}: [^.:;?]{2,60}\.$|"
    r"(?!(?:Reviewed|Powered|Designed|Sponsored|Published|Filed|Written|Posted|Created|Updated|Developed|Edited)\b)"
    r"[A-Z][a-z]+(?:ed|[aeiou]wn) (?:as|at|by|for|from|in|on|with) [^:;?]+\.$"
)
"""Short forms that tell something in words that need not be known: X tastes of tar; Opening year: 1925; Known as Y."""
TELLING_WORDS_MIN = 3
_COMPARED = re.compile(r'"[\w\s.]*(?:<=?|>=?)[\w\s.<>]*=?[\w\s.]*"')
"""A comparison in quotation marks is no markup (Comparisons can be chained, e.g. "x < y <= z")."""
_FIGURED = re.compile(r"(?<![\w.])[$€£]?\d+(?:[.,]\d+)*\s?(?:\+|[a-zA-Z%°]{1,}|[.!?]$)")

_LOWER_START = re.compile(
    r"[a-z][\w.-]*(?:\(\))? (?:is|are|was|provides|supports|allows|has|can|offers|returns|gives|makes|lets|uses)\b"
)
_IDENTIFIER_START = re.compile(
    # "continue" may only occur in a loop; structlog.BytesLogger holds; ignore_unknown (bool): raise where ...
    r"[\"'“‘][a-z][\w.()\[\]-]*[\"'”’],? [\w(]|[a-z][\w-]*(?:[._]\w+)+(?:\(\))?,? [a-z]|"
    r"[a-z][\w.\[\]-]*(?: \([^()]*\))?(?:: | - | – | -- )(?:[^ ]+ ){3}"
)
"""Sentences that begin with something that is written small: a keyword, the name of a function, an option."""
_DEBRIS = re.compile(
    r"""!\[|\]\(|\]\[|\.{4,}|\s(?:\.\.|…)\s|
        ©|\ball\ rights\ reserved\b|\bclick\ here\b|\bcookies?\ polic|\bsubscribe\b|\bsign\ up\b|_{3,}\s
        |(?<!\w)\#\d|(?<!\w)@\w""",
    re.VERBOSE | re.IGNORECASE,
)
_SIGN = re.compile(r"https?://|www\.|::|->|=>|>>>|[{}|\\<>]|\w=\w|(?<=\s)=(?=\s)|==|\w\(\w+=")
"""Signs of code; one among many words is part of a sentence (do not override variables (override=False))."""
WORDS_PER_SIGN = 10


def _is_code(bare: str) -> bool:
    """Tell whether the signs of code outweigh the words."""
    pieces = re.sub(r"\([^()]*\)", " ", bare).split()
    signs = sum(1 for piece in pieces if _SIGN.search(piece))
    return signs * WORDS_PER_SIGN > len(pieces)


_NAVIGATION = re.compile(
    r"(?:see|refer|for (?:more|further|full|additional|other)|more (?:information|details)|please see|"
    r"table of contents|changed in version|new in version|added in version|deprecated since|last (?:updated|modified)|"
    r"copyright|here (?:is|are)|an example|as an example|for example,? (?:here|see)|to find out(?!.*\bnote that\b)|"
    r"if you want to contribute)\b",
    re.IGNORECASE,
)
_POINTER = re.compile(
    r"\b(?:see (?:section|also|chapter|below|the section)|(?:described|discussed|explained|documented|covered) in"
    r"(?: more detail)?(?: in)? (?:section|the section|chapter)|(?:table|example|examples|code|section|snippet|figure|"
    r"list|diagram)s? (?:below|above)|(?:above|following|below) (?:code|example|examples|table|snippet|figure|list|"
    r"section|sections|diagram|is|are)|(?:found|available) here|head over to|check out|take a look|these examples|"
    r"you will find (?:more|further|details|information|links?|examples?|instructions|the (?:following|list)|"
    r"an? (?:list|description|summary|guide|overview)|how|out|everything|below|here)|guide you through|"
    r"see the [\w ]+ (?:section|documentation|docs)|refer to the|documentation for|for details)\b|"
    r"\b(?:below|as follows|(?<!to the )following|follows|e\.g\.|i\.e\.|like so|like this)[.:]$|"
    r"\b(?:examples?|features|steps?|usage):$|\b(?:following|these|basic|all|this|our) "
    r"(?:[a-z]+ )?(?:examples?|features|steps?|usage)\.$|"
    r"^(?:let us|let['’]s|we|there|here|try|consider|this (?:page|section|chapter))\b"
    r".*\b(?:examples?|features|steps?|usage)\.$|"
    r"\b(?:following|below)\b[^.]*:$",
    re.IGNORECASE,
)


@lru_cache(maxsize=16_384)
def is_statement(
    verbatim: str, *, cut: bool = False, is_item: bool = False, named: frozenset[str] = frozenset()
) -> bool:
    """Tell whether a sentence can stand alone as a claim: whole, prose, and about something.

    Args:
        cut: its beginning may have been cut off.
        is_item: it is a line that stands for itself, and may do without a full stop.
        named: words of the title; what begins with one of them begins with a name, however it is written.
    """
    shown = display(verbatim)
    shortest = STATEMENT_CHARACTERS_MIN_UNSPACED if is_unspaced(shown) else STATEMENT_CHARACTERS_MIN
    if not shortest <= len(shown) <= STATEMENT_CHARACTERS_MAX or not (
        _is_whole(shown, cut, named) or (is_item and not cut and _is_whole_item(shown))
    ):
        return False
    bare = _COMPARED.sub('""', shown)
    if (
        _DEBRIS.search(bare)
        or _is_code(bare)
        or shown.count("(") != shown.count(")")
        or shown.count("“") != shown.count("”")
    ):
        return False
    tokens = words(shown)
    if shown.isascii() or any(token in FUNCTION_WORDS for token in tokens):
        functional = sum(1 for token in tokens if token in FUNCTION_WORDS)
        tells, figured = bool(_TELLING.match(shown)), bool(_FIGURED.search(shown))
        if (
            len(tokens) < _words_needed(shown, figured=figured, tells=tells)
            or (functional < 1 and not (tells or _VERBS & set(tokens) or re.search(r"\d.*\.$", shown)))
            or (len(tokens) >= 9 and functional < (1 if shown.endswith(".") and (figured or has_verb(shown)) else 2))
        ):
            return False
    # Figures are what a statement is asked for; code is told by its signs, not by its digits.
    plain = sum(1 for character in shown if character.isalnum() or character.isspace() or character in "%°€$£,.-")
    letters = sum(1 for character in bare if character.isalpha() or character.isspace())
    if shown.endswith(":") and len(tokens) < INTRODUCTION_WORDS_MIN:
        return False
    if _FIGURED.search(shown) or (is_other_script(shown) and re.search(r"\d", shown)):
        return plain / len(shown) >= 0.9 and letters / len(bare) >= 0.6
    return letters / len(bare) >= 0.78


def _words_needed(shown: str, *, figured: bool, tells: bool) -> int:
    if tells:
        return TELLING_WORDS_MIN
    return STATEMENT_WORDS_MIN - 1 if figured or _NAMES_DOING.match(shown) else STATEMENT_WORDS_MIN


def _is_whole(shown: str, cut: bool, named: frozenset[str]) -> bool:
    if not re.search(r"(?:[.!?。！？][\"'”’)\]」』）]*|\w[)\]\"”’']*:)$", shown) or shown.endswith(("..", "…")):
        return False
    first = shown.lstrip("\"'“‘([")[:1]
    if cut and not first.isupper():
        return False
    if not first.islower() or _LOWER_START.match(shown) or _IDENTIFIER_START.match(shown):
        return True
    return _begins_with_a_name(shown) or (words(shown) or [""])[0] in named


def _begins_with_a_name(shown: str) -> bool:
    """Tell whether a sentence begins with something that is written small (iniconfig raises an error)."""
    first, _, rest = shown.partition(" ")
    verb = rest.split(" ", 1)[0]
    known = FUNCTION_WORDS | _VERBS | GENERIC_WORDS
    return first.isalnum() and first not in known and verb in _VERBS and verb.endswith("s") and not first.endswith("s")


def _is_whole_item(shown: str) -> bool:
    """Tell whether the item of a list says something without a full stop: of a subject, with a verb."""
    tokens = words(shown)
    if shown.endswith(".") and not shown.endswith("..") and _DETERMINED.match(shown):
        return bool(_VERBS & set(tokens[1:]))
    if _ENDED.search(shown) or not _STANDS_ALONE.search(shown):
        return False
    if len(tokens) < ITEM_WORDS_MIN or tokens[0] in _IMPERATIVES or tokens[-1] in FUNCTION_WORDS:
        return False
    if shown[:1].islower() and (tokens[0] in FUNCTION_WORDS | _VERBS or tokens[1] not in _VERBS):
        return False
    return bool(_VERBS & set(tokens[1:-1]))


_ENDED = re.compile(r"[.!?:;,。！？][\"'”’)\]]*$")
_DETERMINED = re.compile(r"(?:the|an?|all|any|each|every|no) [\w“\"]")
_STANDS_ALONE = re.compile(r"[\w%°)\]\"”’']$")
ITEM_WORDS_MIN = 6

_ANAPHORA = re.compile(
    r"(?:it|its|they|their|them|these|those(?! (?:who|whose|whom|attending|enrolled|interested|living|planning|seeking|"
    r"taking|travelling|visiting|wanting|wishing|working)\b)|this|that|such|he|she|his|her|however|moreover|"
    r"furthermore|"
    r"therefore|thus|hence|otherwise|instead|similarly|likewise|consequently|the (?:latter|former|same|"
    r"above|following|result|list|second|other|first)|in (?:this|that|these|such) (?:case|way|sense|mode|example)|"
    r"then|also|but|and|so|or|nor|yet|additionally|again|for example|for instance|both|as a result|as such|here|"
    r"in addition|"
    r"in contrast|on the other hand|for this reason)\b",
    re.IGNORECASE,
)
_CLEFT = re.compile(
    r"it (?:is|was|has been|will be) (?:(?:not|only|just) )?"
    r"(?:(?:after|before|since|until|in|on|at|with|under|for|to|by|from) )?"
    r"(?:the )?(?-i:[A-ZÀ-Ý\d])[^.;:]{0,60}? (?:that|who|whom|which|when) |"
    r"it (?:takes|took|costs?|needs|needed|will take|can take) [^.;:]{0,30}?\d[^.;:]{0,60}? (?:to|for|before|until) |"
    r"it (?:is|was|has been|had been) (?:\w+ly |well |also |often )?"
    r"(?:noted|reported|believed|agreed|estimated|claimed|hoped|assumed|expected|announced|argued|suggested|observed|"
    r"known|said|thought|found|shown|told|felt|true|clear|likely) "
    r"that (?!(?:year|month|week|day|night|time|way|same|in|because)\b)|"
    r"it (?:takes|took) (?:a while|some time|time|long|ages|hours|days|weeks|months|years) (?:to|for|before|until) ",
    re.IGNORECASE,
)
"""A sentence whose *it* points to nothing: It was (not until) 1948 that, It was noted that, It takes 2 days to ..."""
_FIRST_ONES = re.compile(r"the first [a-z-]+s (?!(?:is|are|was|were|in|of)\b)[a-z]+ ", re.IGNORECASE)
"""The first trains ran in 1948: the first ones that ever did, not of what was listed before."""


def leans_on_previous(text: str) -> bool:
    """Tell whether a sentence begins with a word that points back, so that it says little without the one before."""
    shown = display(text).lstrip("\"'“‘(")
    return bool(_ANAPHORA.match(shown)) and not _CLEFT.match(shown) and not _FIRST_ONES.match(shown)


_IMPERATIVES = words_of("imperatives")
_FRAGMENT = re.compile(
    r"(?:Like|Same as|Similar to|As(?! of\b|\sat\b)|Called|Used|Returns?|Raised|Set|Equivalent|Alias|Optional|"
    r"Deprecated|Required|Defaults?)\b"
    r"|\(|(?:The|A|An) (?:[\w-]+ ){1,3}(?:that|which) \w+(?: \w+){0,4}\.$"
)


def lacks_subject(text: str) -> bool:
    """Tell whether a sentence is an entry of a reference without its subject (Exit it; Called to delete it)."""
    shown = display(text).lstrip("\"'“‘")
    first = shown.split(" ", 1)[0].strip(",").lower()
    return first in _IMPERATIVES or bool(_FRAGMENT.match(shown))


_ADDRESSES_MODEL = re.compile(
    r"(?:^|[.:!,]\s+|\bplease )(?:ignore|disregard|forget|override) (?:[a-z]+ ){0,3}"
    r"(?:previous|prior|above|earlier|your|all|any|other) (?:[a-z]+ ){0,2}(?:instructions?|prompts?|rules)\b|"
    r"^you are now (?:an?|the) |^(?:new|updated) instructions?:|^attention,? (?:ai|assistants?|language models?)\b",
    re.IGNORECASE,
)
"""What speaks to whoever reads for others. No wall: the wall is that nothing here acts on what a source says."""


_LEADING_ON = re.compile(r",? (?:for (?:example|instance)|e\.g\.|i\.e\.|like (?:so|this)):$")
SAID_BEFORE_MIN = 10
"""So many words before *for example:* say something themselves."""


def is_navigation(text: str) -> bool:
    """Tell whether a sentence says nothing: leads elsewhere, notes a version of the document, instructs a model."""
    shown = display(text)
    without = _LEADING_ON.sub(".", shown)
    if len(words(without)) >= SAID_BEFORE_MIN:
        shown = without
    return bool(_NAVIGATION.match(shown) or _POINTER.search(shown) or _ADDRESSES_MODEL.search(shown))


_VERBS = words_of("verbs")


_AUXILIARIES = words_of("auxiliaries")
_CAPTION = re.compile(r"(?:The|A|An) (?:[\w-]+ ){1,3}(?:that|which|to|for|of|and) ")


def has_verb(text: str) -> bool:
    """Tell whether a sentence shows a verb; a short one without is a caption or a list entry."""
    if is_other_script(text):
        return True
    tokens = words(text)
    caption = _CAPTION.match(text)
    if caption and len(tokens) <= 12 and not _AUXILIARIES & set(tokens):
        done = [token for token in words(text[caption.end() :])[1:] if token in _VERBS or token.endswith("ed")]
        return bool(done) and not caption.group().endswith(("that ", "which "))
    return len(tokens) > 9 or any(token in _VERBS or token.endswith(("ed", "n't", "izes", "ates")) for token in tokens)
