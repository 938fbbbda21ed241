"""Plain text, and the conventions people use in it: underlined headings, bullets, hard line breaks, reStructuredText.

Pure. Understands the shape of a text well enough that its sentences come out whole and its code is told apart; it is
no reStructuredText processor.
"""

import re
from dataclasses import dataclass

from activities.documents.builder import TextBuilder
from activities.documents.dates import date_line

_UNDERLINE = re.compile(r"([=\-~^\"'*+#.:_`])\1{2,}")
_BULLET = re.compile(r"(?:[*\-+•‣◦]|\(?\d{1,3}[.)]|#\.|\[\d{1,3}\])\s+(?=\S)")
_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]+\|\s+)?([\w:+.-]+)::\s*(.*)")
_SIGNATURE = re.compile(r"(?:(?:class|async|await|static|exception)\s+)*[A-Za-z_][\w.]*(?:\(.*\)(?:\s*->.*)?|\.\w+)")
_CODE_DIRECTIVES = frozenset(
    ("code-block", "sourcecode", "code", "highlight", "parsed-literal", "math", "doctest", "prompt", "console")
)
_DROPPED_DIRECTIVES = frozenset(
    (
        "image",
        "figure",
        "toctree",
        "contents",
        "raw",
        "include",
        "replace",
        "index",
        "meta",
        "unicode",
        "role",
        "highlight",
    )
)
_REST = re.compile(r"^\.\. [\w:-]+::|``[^`\n]+``|:\w+:`[^`]+`|`[^`\n]+ <[^>\n]+>`_", re.MULTILINE)
_UNDERLINED = re.compile(r"^\S.*\n([=\-~^*+#])\1{3,}[ \t]*$", re.MULTILINE)
_CODE_LINE = re.compile(
    r">>>|\.\.\. |\$ |\S+ *::=|#!|//|@\w"
    r"|(?:def|class|if|elif|else|for|while|try|with|except|finally|async|match|case)\b.*:\s*(?:#.*)?$"
    r"|(?:return|import|from|raise|yield|assert|del|global|nonlocal|pass|break|continue|print)\b(?!.*[a-z]{3}\.$)"
    r"|[\w.\[\]\"', *()]+ ?(?:[-+*/|&^%@:<>!]|//|\*\*|<<|>>)?= ?\S"
    r"|(?:with|for|if|while|def|class|return|print)\b.*[(\[{\\]$|.*\S {2,}# |[\w.]+\([^)]*\) as \w+,?$"
    r"|[\w.]+\(.*\)[;:]?(?:\s*#.*)?$|.*[;{}]$|[\])}]+,?$|#\s"
)
_PROSE_LINE = re.compile(r"(?:[A-Za-z’']{2,}[,;]? ){4,}")
_INLINE = (
    (re.compile(r"``([^`]+)``"), r"\1"),
    (re.compile(r":[\w:+-]+:`[!~]?([^`<]+?)\s*<[^>`]+>`"), r"\1"),
    (re.compile(r":[\w:+-]+:`[!~]?([^`]+)`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^>`]+>`__?"), r"\1"),
    (re.compile(r"`([^`]+)`(?:__?)?"), r"\1"),
    (re.compile(r"\s?\[[#\w]+\]_"), ""),
    (re.compile(r"(?<![\w*])\*\*(?=\S)([^*\n]*[^\s*])\*\*(?!\w)"), r"\1"),
    (re.compile(r"(?<![\w*\"])\*(?=[\w(])([^*\n]*[^\s*])\*(?![\w*\"])"), r"\1"),
    (re.compile(r"(?<!\w)\|([\w .-]+)\|_?(?!\w)"), r"\1"),
)
_WRAP_MIN, _WRAP_MAX, _WRAP_SLACK = 50, 120, 6


@dataclass
class _Block:
    """Consecutive lines that are not empty."""

    lines: list[str]
    indent: int


@dataclass
class _State:
    builder: TextBuilder
    markup: bool
    """The text uses reStructuredText's inline markup."""
    width: int
    """Where the lines were wrapped."""
    levels: list[str]
    """Styles of underlines, in order of appearance."""
    code_above: int = -1
    """Blocks indented deeper than this are code (a literal block is open); -1: none is."""
    dropped_above: int = -1
    last_code_indent: int = -1


def is_rest(text: str) -> bool:
    """Tell whether a text looks like reStructuredText, or like the text that is made from it."""
    return bool(_REST.search(text) or _UNDERLINED.search(text))


def read_plain(text: str, builder: TextBuilder) -> None:
    """Append a plain text."""
    builder.metadata.published_at = date_line(text)
    blocks = _blocks(text)
    state = _State(builder, markup=is_rest(text), width=_wrap_width(blocks), levels=[])
    for number, block in enumerate(blocks):
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        _read_block(block, following, state)


def unwrapped(lines: list[str], width: int) -> str:
    """Join the lines of a paragraph that were broken because the next word would not fit; keep the other breaks."""
    out = lines[0].strip()
    last = lines[0]
    for line in lines[1:]:
        word = line.split(maxsplit=1)[0]
        wrapped = len(last.rstrip()) + 1 + len(word) > width - _WRAP_SLACK and len(last) <= _WRAP_MAX
        if wrapped and out.endswith("-") and out[-2:-1].isalpha() and word[0].islower():
            out += line.strip()
        else:
            out += (" " if wrapped else "\n") + line.strip()
        last = line
    return out


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    current: list[str] = []
    for raw in [*text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n\n").split("\n"), ""]:
        line = raw.expandtabs(8).rstrip()
        if line:
            current.append(line)
        elif current:
            blocks.append(_Block(current, min(_indent(each) for each in current)))
            current = []
    return blocks


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _wrap_width(blocks: list[_Block]) -> int:
    """Estimate the width to which the text was wrapped: nearly the longest of the lines that another one follows."""
    lines = (line for block in blocks for line in block.lines[:-1])
    lengths = sorted(len(line) for line in lines if len(line) <= _WRAP_MAX and not re.match(r"\s*[+|]", line))
    if len(lengths) < 3:
        return 72
    return max(_WRAP_MIN, lengths[int(len(lengths) * 0.9)])


def _read_block(block: _Block, following: _Block | None, state: _State) -> None:
    if state.dropped_above >= 0 and block.indent > state.dropped_above:
        return
    state.dropped_above = -1
    if state.code_above >= 0 and block.indent > state.code_above:
        _emit_code(block, state)
        return
    state.code_above = -1
    lines = _without_headings(block.lines, state)
    if not lines:
        state.last_code_indent = -1
        return
    if lines[0].lstrip().startswith(".. "):
        _read_directive(lines, state)
    elif re.match(r"\s*[+|][-=+|]", lines[0]):
        _read_grid(lines, state.builder)
    elif re.fullmatch(r"\s*=+(\s+=+)+", lines[0]):
        _read_columns(lines, state.builder)
    elif _is_definition(lines, following):
        for line in (each.strip().removeprefix("-[ ").removesuffix(" ]-") for each in lines):
            state.builder.heading(9, _clean_inline(line, state))
    elif _is_code(lines, state):
        _emit_code(_Block(lines, block.indent), state)
    else:
        _emit_prose(lines, state)
        state.last_code_indent = -1


def _without_headings(lines: list[str], state: _State) -> list[str]:
    """Emit the underlined headings at the top of a block; return what is left of it."""
    while True:
        overlined = len(lines) >= 3 and _is_underline(lines[0]) and _is_underline(lines[2]) and lines[1].strip()
        if overlined:
            style, title, lines = lines[0][0] * 2, lines[1].strip(), lines[3:]
        elif len(lines) >= 2 and not _is_underline(lines[0]) and _is_underline(lines[1], lines[0]):
            style, title, lines = lines[1][0], lines[0].strip(), lines[2:]
        elif lines and _is_underline(lines[0]):
            lines = lines[1:]  # A rule between parts.
            continue
        else:
            return lines
        if style not in state.levels:
            state.levels.append(style)
        state.builder.heading(state.levels.index(style) + 1, _clean_inline(title, state))


def _is_underline(line: str, title: str | None = None) -> bool:
    if not _UNDERLINE.fullmatch(line):
        return False
    return title is None or (_indent(title) == 0 and len(line) >= min(len(title), 120) * 0.7)


def _read_directive(lines: list[str], state: _State) -> None:
    indent = _indent(lines[0])
    match = _DIRECTIVE.match(lines[0].lstrip())
    if match is None or match[1] in _DROPPED_DIRECTIVES:  # A comment, a target, a footnote's frame, a picture.
        state.dropped_above = indent
        return
    body = [line for line in lines[1:] if not re.match(r"\s+:[\w-]+:", line)]
    if match[1] in _CODE_DIRECTIVES:
        state.code_above = indent
        if body:
            _emit_code(_Block(body, indent), state)
        return
    text = [match[2], *body] if match[2] else body
    if text:
        _emit_prose(text, state)


def _read_grid(lines: list[str], builder: TextBuilder) -> None:
    """Read a table drawn with `+---+` and `|`: one line per row, cells joined."""
    rows: list[list[str]] = [[]]
    for line in lines:
        if re.match(r"\s*[+|][-=+|]+\s*$", line):
            rows.append([])
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        row = rows[-1]
        for column, cell in enumerate(cells):
            if column >= len(row):
                row.append(cell)
            elif cell:
                row[column] = f"{row[column]} {cell}".strip()
    _emit_rows(rows, builder)


def _read_columns(lines: list[str], builder: TextBuilder) -> None:
    """Read a table whose columns are ruled with `===  ===`."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines if not re.fullmatch(r"\s*[=\-]+(\s+[=\-]+)*", line)]
    _emit_rows(rows, builder)


def _emit_rows(rows: list[list[str]], builder: TextBuilder) -> None:
    first = True
    for row in rows:
        if any(row):
            emit = builder.prose if first else builder.line
            emit(" | ".join(row))
            first = False


def _is_definition(lines: list[str], following: _Block | None) -> bool:
    """Tell whether these are signatures that the indented block below explains, or a rubric."""
    if re.fullmatch(r"-\[ .+ \]-", lines[0]):
        return True
    if following is None or following.indent <= _indent(lines[0]):
        return False
    return all(_SIGNATURE.fullmatch(line.strip()) for line in lines)


def _is_code(lines: list[str], state: _State) -> bool:
    if lines[0].lstrip().startswith((">>> ", "$ ")):
        return True
    indent = min(_indent(line) for line in lines)
    if indent == 0 or _BULLET.match(lines[0].lstrip()):
        return False
    stripped = [line.strip() for line in lines]
    code = sum(1 for line in stripped if _CODE_LINE.match(line))
    prose = sum(1 for line in stripped if _PROSE_LINE.search(line) and not _CODE_LINE.match(line))
    if 0 <= state.last_code_indent <= indent and prose == 0:
        return True
    return code * 2 >= len(stripped) and prose * 4 <= len(stripped)


def _emit_code(block: _Block, state: _State) -> None:
    indent = min(_indent(line) for line in block.lines)
    state.builder.code("\n".join(line[indent:] for line in block.lines))
    state.last_code_indent = indent


def _emit_prose(lines: list[str], state: _State) -> None:
    if lines[-1].rstrip().endswith("::"):
        state.code_above = _indent(lines[0])
        last = lines[-1].rstrip()[:-2]
        lines = [*lines[:-1], f"{last}:" if last and not last.endswith((" ", ":")) else last]
        lines = [line for line in lines if line.strip()]
    first = True
    for unit, hanging in _units(lines):
        emit = state.builder.prose if first else state.builder.line
        longest = max(len(line) for line in unit)
        width = min(state.width, longest) if len(unit) > 2 and longest >= _WRAP_MIN else state.width
        if hanging:
            width = 0  # What hangs below a bullet continues it, however short its lines are.
        emit(_clean_inline(unwrapped(unit, width), state))
        first = False


def _units(lines: list[str]) -> list[tuple[list[str], bool]]:
    """Split a block into list items and paragraphs: at bullets, and where the indentation changes.

    Each comes with whether it is a list item, whose further lines hang below its first.
    """
    units: list[tuple[list[str], bool]] = []
    indent = -1
    numbered = False
    for before, line in zip(["", *lines], lines, strict=False):
        bullet = _BULLET.match(line.lstrip())
        number = _NUMBER.match(line.lstrip())
        if bullet and not (number and not numbered and _ends_open(before) and int(number[1]) > 1):
            numbered = numbered or bool(number)
            indent = _indent(line) + bullet.end()
            units.append(([" " * indent + line.lstrip()[bullet.end() :]], True))
        elif units and _indent(line) == indent:
            units[-1][0].append(line)
        else:
            indent = _indent(line)
            units.append(([line], False))
    return units


_NUMBER = re.compile(r"(\d{1,3})[.)]\s")


def _ends_open(line: str) -> bool:
    """Tell whether a sentence goes on behind a line: a number at the start of the next one may be its end (50. The)."""
    return bool(line.strip()) and line.rstrip()[-1] not in ".:;!?"


def _clean_inline(text: str, state: _State) -> str:
    if not state.markup:
        return text
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return re.sub(r"\\([*`|_\\])", r"\1", text)
