"""The mutants of a module, each as the whole text of a changed module. Nothing is written to the tree."""

import ast
import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cosmic_ray.ast import ast_nodes, get_ast
from parso.tree import BaseNode, NodeOrLeaf

from tests.mutation.operators import Position, operators


@dataclass(frozen=True)
class Mutant:
    """One change."""

    operator: str
    line: int
    source: str
    """The whole module, changed."""
    change: str
    """The lines that differ, for people."""


def mutants_of(source: str) -> Iterator[Mutant]:
    """Yield every mutant that compiles to something else than the module does, in the order of its operators."""
    tree = get_ast(source)
    spared, seen, nodes = list(_annotations(source)), {_compiled(source)}, list(ast_nodes(tree))
    for operator in operators():
        for node in nodes:
            for index, position in enumerate(list(operator.mutation_positions(node))):
                if any(start <= position[0] and position[1] <= end for start, end in spared):
                    continue
                with _restored(node):
                    _put(operator.mutate(node, index), node)
                    mutated = tree.get_code()
                compiled = _compiled(mutated)
                if compiled is None or compiled in seen:
                    continue
                seen.add(compiled)
                yield Mutant(type(operator).__name__, position[0][0], mutated, _difference(source, mutated))


@contextmanager
def _restored(node: NodeOrLeaf) -> Iterator[None]:
    """Undo what an operator does to a node, its children, or its place: parsing anew for each mutant takes minutes."""
    changed = [item for item in (node.parent, node, *getattr(node, "children", ())) if item is not None]
    before = [(item, list(getattr(item, "children", ())), getattr(item, "value", None)) for item in changed]
    try:
        yield
    finally:
        for item, children, value in before:
            if isinstance(item, BaseNode):
                item.children = children
            else:
                item.value = value


def _put(made: NodeOrLeaf, node: NodeOrLeaf) -> None:
    if made is not node:
        node.parent.children = [made if child is node else child for child in node.parent.children]


def _compiled(source: str) -> str | None:
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return None


def _annotations(source: str) -> Iterator[Position]:
    for node in ast.walk(ast.parse(source)):
        for field in ("annotation", "returns"):
            if isinstance(found := getattr(node, field, None), ast.expr):
                yield (found.lineno, found.col_offset), (found.end_lineno or 0, found.end_col_offset or 0)


def _difference(source: str, mutated: str) -> str:
    lines = difflib.unified_diff(source.splitlines(), mutated.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if line[:3] not in ("---", "+++") and line[:2] != "@@")
