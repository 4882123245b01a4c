"""Sentences with values in the code, as catalogs have them: `f"There is no {name}."` is `There is no %(name)s.`"""

import ast
import re
from collections.abc import Iterator
from itertools import product

PASSED_ON = {  # functions that leave a value what it is called
    "capitalize", "int", "isoformat", "len", "lower", "map", "removesuffix", "replace", "sorted", "str", "strip",
    "title", "upper",
}  # fmt: skip
WORDS = re.compile(r"[A-Za-z]{2,}")
VALUE = re.compile(r"%\(\w+\)s")
CODE = re.compile(r"[<>{}|\\\n_]|::|^[a-z.]+=|^/|^SET |^\w*\.[\w.]*$")


def texts_of(node: ast.AST) -> list[str]:
    """Return the texts that an expression can be: one for each of its constant alternatives, such as plural endings."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp():
            return [*texts_of(node.body), *texts_of(node.orelse)]
        case ast.BinOp(op=ast.Add()):
            return ["".join(parts) for parts in product(texts_of(node.left), texts_of(node.right))]
        case ast.JoinedStr():
            return list(_joined(node))
    return []


def _joined(node: ast.JoinedStr) -> Iterator[str]:
    taken: list[str] = []
    choices = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            choices.append(_value(part.value, taken))
        elif isinstance(part, ast.Constant):
            choices.append([str(part.value).replace("%", "%%")])
    return ("".join(one) for one in product(*choices))


def _value(node: ast.expr, taken: list[str]) -> list[str]:
    """Return a value in a text: its alternatives where they are constants, else a placeholder."""
    if isinstance(node, ast.IfExp):
        both = [*_value(node.body, taken), *_value(node.orelse, taken)]
        return list(dict.fromkeys(both))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value.replace("%", "%%")]
    if isinstance(node, ast.JoinedStr):
        return list(_joined(node))
    name = name_of(node)
    number = taken.count(name)
    taken.append(name)
    return [f"%({name}{number + 1 if number else ''})s"]


def name_of(node: ast.AST) -> str:
    """Return what a value is called in a catalog: the last name of the expression."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower()
        case ast.Call(func=ast.Attribute(attr="join"), args=[first, *_]):
            return name_of(first)
        case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in PASSED_ON:
            return name_of(value)
        case ast.Call(func=ast.Name(id=name), args=[*_, last]) if name in PASSED_ON:
            return name_of(last)
        case ast.Call(func=func):
            return name_of(func)
        case ast.Await(value=value) | ast.Subscript(value=value) | ast.BinOp(left=value):
            return name_of(value)
        case ast.GeneratorExp(elt=value) | ast.Starred(value=value) | ast.UnaryOp(operand=value):
            return name_of(value)
        case ast.BoolOp(values=[first, *_]):
            return name_of(first)
    return "value"


def is_sentence(text: str) -> bool:
    """Return whether people read this: two words, or one beside values; and no code."""
    bare = VALUE.sub("", text)
    words = WORDS.findall(bare)
    enough = len(words) >= 2 or (bare != text and sum(map(len, words)) >= 7)
    return enough and not CODE.search(bare)


def sentences_of(tree: ast.Module) -> Iterator[str]:
    """Return every sentence of a file but its docstrings."""
    passed: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # a docstring
            passed.add(node.value)
        if isinstance(node, ast.JoinedStr):
            passed.update(one for one in ast.walk(node) if one is not node)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in passed:
            yield from filter(is_sentence, texts_of(node))
