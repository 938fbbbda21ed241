"""What a mutant may change: a choice of cosmic-ray's operators, and our own for tables and queries.

Of cosmic-ray's replacements of one operator by any other, one or two stand for all: the rest is killed along with
them, and would only flatter the score. Prose (a text with a space in it) and annotations are left alone. Queries are
SQLAlchemy expressions, so their comparisons, conditions and locks are mutated like other code.
"""

from collections.abc import Iterator

from cosmic_ray.operators import (
    binary_operator_replacement,
    boolean_replacer,
    comparison_operator_replacement,
    number_replacer,
    unary_operator_replacement,
    zero_iteration_for_loop,
)
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name
from parso.tree import BaseNode, NodeOrLeaf

Position = tuple[tuple[int, int], tuple[int, int]]

_BINARY = (
    "Add_Sub",
    "Sub_Add",
    "Mul_FloorDiv",
    "FloorDiv_Mul",
    "Mod_Mul",
    "BitOr_BitAnd",
    "BitAnd_BitOr",
    "RShift_LShift",
)
_COMPARISON = (
    *("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
    *("Is_IsNot", "IsNot_Is"),
)
_CHAINED = {
    *("where", "with_for_update", "execution_options", "order_by", "group_by", "desc", "limit"),
    *("on_conflict_do_nothing", "on_conflict_do_update", "lower", "strip", "removesuffix", "normalize", "astimezone"),
}


class _Own(Operator):
    """An operator that says which replacements it has for a node."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        """Yield the lists of children, or the one node, that may stand in the node's place."""
        raise NotImplementedError

    def mutation_positions(self, node: NodeOrLeaf) -> list[Position]:
        return [(node.start_pos, node.end_pos) for _ in self.replacements(node)]

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        replacement = list(self.replacements(node))[index]
        if isinstance(node, BaseNode):
            node.children = replacement
            return node
        return replacement[0]

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class DropElement(_Own):
    """Leave one element out of a list, tuple, set or dictionary."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        if node.type not in ("testlist_comp", "dictorsetmaker") or any("comp_for" in c.type for c in node.children):
            return
        elements = _split(node.children)
        if len(elements) == 2 and elements[1] == []:  # (x,)
            return
        for index, element in enumerate(elements):
            if element:
                yield _joined([*elements[:index], *elements[index + 1 :]])


class DropArgument(_Own):
    """Leave out a keyword argument of a call, or one of several conditions of `where`."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        if node.type != "arglist" or _in_class_header(node):
            return
        condition = getattr(node.parent.get_previous_sibling(), "children", [None])[-1]
        in_where = getattr(condition, "value", "") == "where"
        arguments = _split(node.children)
        for index, argument in enumerate(arguments):
            named = len(argument) == 1 and argument[0].type == "argument" and argument[0].children[0].type == "name"
            if argument and (named or in_where):
                yield _joined([*arguments[:index], *arguments[index + 1 :]])


class DropCall(_Own):
    """Leave out one call of a chain: a lock, an order, a lower-casing."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        if node.type not in ("atom_expr", "power"):
            return
        for index in range(1, len(node.children) - 1):
            name, call = node.children[index : index + 2]
            called = name.type == call.type == "trailer" and call.children[0].value == "("
            if called and name.children[0].value == "." and name.children[1].value in _CHAINED:
                yield [*node.children[:index], *node.children[index + 2 :]]


class DropStatement(_Own):
    """Leave out a statement that is run for what it does: a call, a raise, an assignment to something's attribute."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        if node.type != "simple_stmt":
            return
        statement = node.children[0]
        if statement.type == "expr_stmt":
            target, sign = statement.children[:2]
            first = target.children[0] if target.type == "testlist_star_expr" else target
            does = first.type in ("atom_expr", "power") or getattr(sign, "value", "=") != "="
        else:
            does = statement.type in ("raise_stmt", "atom_expr", "power")
        if does:
            yield [_leaf("pass", statement), *node.children[1:]]


class ReturnNone(_Own):
    """Return None in place of a value."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        if node.type == "return_stmt" and len(node.children) == 2 and getattr(node.children[1], "value", "") != "None":
            yield [node.children[0], _leaf("None", node.children[1])]


class ReplaceMember(_Own):
    """Name the next member of an enumeration of the same module."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        if node.type not in ("atom_expr", "power") or len(node.children) < 2 or node.children[0].type != "name":
            return
        trailer = node.children[1]
        members = _enumerations(node.get_root_node()).get(node.children[0].value, [])
        if trailer.type != "trailer" or trailer.children[0].value != "." or trailer.children[1].value not in members:
            return
        other = members[(members.index(trailer.children[1].value) + 1) % len(members)]
        yield [node.children[0], _leaf(f".{other}", trailer), *node.children[2:]]


class ReplaceString(_Own):
    """Change a text that is not prose."""

    def replacements(self, node: NodeOrLeaf) -> Iterator[list[NodeOrLeaf]]:
        if node.type != "string" or " " in node.value or node.parent.type == "simple_stmt":
            return
        quote = node.value[-1]
        start = node.value.index(quote) + 1
        yield [_leaf(f"{node.value[:start]}XX{node.value[start:-1]}XX{quote}", node)]


def operators() -> Iterator[Operator]:
    """Yield every operator."""
    for name in _BINARY:
        yield getattr(binary_operator_replacement, f"ReplaceBinaryOperator_{name}")()
    for name in _COMPARISON:
        yield getattr(comparison_operator_replacement, f"ReplaceComparisonOperator_{name}")()
    for name in ("Not", "USub"):
        yield getattr(unary_operator_replacement, f"ReplaceUnaryOperator_Delete_{name}")()
    for name in ("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"):
        yield getattr(boolean_replacer, name)()
    yield number_replacer.NumberReplacer()
    yield zero_iteration_for_loop.ZeroIterationForLoop()
    yield from (kind() for kind in _Own.__subclasses__())


def _split(children: list[NodeOrLeaf]) -> list[list[NodeOrLeaf]]:
    parts: list[list[NodeOrLeaf]] = [[]]
    for child in children:
        if getattr(child, "value", "") == ",":
            parts.append([])
        else:
            parts[-1].append(child)
    return parts


def _joined(parts: list[list[NodeOrLeaf]]) -> list[NodeOrLeaf]:
    return [child for part in parts if part for child in (*part, _leaf(",", part[-1], prefix=""))]


def _leaf(code: str, place: NodeOrLeaf, *, prefix: str | None = None) -> NodeOrLeaf:
    """Return a leaf of any text: the tree is only printed after it is changed."""
    return Name(code, place.start_pos, place.get_first_leaf().prefix if prefix is None else prefix)


def _in_class_header(node: NodeOrLeaf) -> bool:
    return bool(node.parent.type == "classdef")


def _enumerations(module: BaseNode) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for definition in module.iter_classdefs():
        bases = definition.get_super_arglist()
        if bases is not None and bases.get_code().strip().endswith("Enum"):
            statements = [line.children[0] for line in definition.get_suite().children if line.type == "simple_stmt"]
            found[definition.name.value] = [s.children[0].value for s in statements if s.type == "expr_stmt"]
    for line in module.children:
        statement = line.children[0] if line.type == "simple_stmt" else None
        if statement is not None and statement.type == "expr_stmt" and len(statement.children) == 3:
            name, _, value = statement.children
            if getattr(value, "value", None) in found and name.type == "name":
                found[name.value] = found[value.value]
    return found
