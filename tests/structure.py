"""The structure of a tree of Python modules, from its imports: rooms, arrows, circles, longest files and functions.

`python tests/structure.py` prints that of the project, `--draw FILE.png` draws it, `--tree DIR` takes another tree, for
example an earlier version that `git worktree add DIR COMMIT` has laid out.
"""

import argparse
import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "historynet"

ROOMS = (
    *("errors", "extras", "parallel", "files", "locks", "spread", "streams", "backend", "clusters"),
    *("settings", "pictures", "weights", "systems", "runtimes", "colorizing", "films", "comparing", "data"),
    *("collecting", "training"),
    *("experiments", "web", "commands"),
)
"""Of the library, from the ground up: a room uses those before it only."""

CHECKED = (
    *(PACKAGE, "Util", "benchmarks", "Baseline", "SOURCE_HistoryNet", "SOURCE_Parsing", "SOURCE_Classifier"),
    *("SOURCE_FilmCNN", "SOURCE_GrayVGG16", "SOURCE_Pix2Pix", "SOURCE_MHMD"),
)


def sources(tree: Path, *folders: str) -> list[Path]:
    """The Python files of some folders of a tree."""
    return sorted(path for folder in folders for path in (tree / folder).rglob("*.py"))


def module_name(path: Path, tree: Path) -> str:
    """historynet/films/reading.py -> historynet.films.reading; a folder's __init__.py is the folder's name."""
    parts = path.relative_to(tree).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: Path) -> dict[str, set[str]]:
    """Which modules of the library each of them imports, anywhere in its file but for type checking alone."""
    paths = {module_name(path, tree): path for path in sources(tree, PACKAGE)}
    found = {}
    for module, path in paths.items():
        found[module] = set(_imported(ast.parse(path.read_text(encoding="utf-8")), paths)) - {module}
    return found


def _imported(node: ast.AST, modules: Mapping[str, Path]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", None) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name in modules)
        elif isinstance(child, ast.ImportFrom) and child.module and child.module.split(".")[0] == PACKAGE:
            # `from package import module` names a module, `from package.module import name` is of the module.
            names = {f"{child.module}.{alias.name}" for alias in child.names}
            yield from names & modules.keys()
            if names - modules.keys() and child.module in modules:
                yield child.module
        yield from _imported(child, modules)


def room(module: str) -> str:
    """The room a module is in: its folder in the library, or itself; the library's own __init__ is the door."""
    return module.split(".")[1] if "." in module else "the door"


def arrows(tree: Path) -> set[tuple[str, str]]:
    """(room, room that it uses)."""
    return {
        (room(module), room(other))
        for module, others in imports(tree).items()
        for other in others
        if room(module) != room(other) and "." in other
    }


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of nodes each of which can be reached from the others (Tarjan 1972)."""
    number, low, stack, groups = {}, {}, [], []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in number:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(edges):
        if node not in number:
            visit(node)
    return groups


def functions(tree: Path, *folders: str) -> list[tuple[int, str]]:
    """(lines, FILE:name) of each function, with decorators and docstring, longest first."""
    lengths = []
    for path in sources(tree, *folders):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                lengths.append((node.end_lineno - first + 1, f"{path.relative_to(tree)}:{node.name}"))
    return sorted(lengths, reverse=True)


def files(tree: Path, *folders: str) -> list[tuple[int, str]]:
    """(lines, file), longest first."""
    counts = [(len(path.read_text(encoding="utf-8").splitlines()), path) for path in sources(tree, *folders)]
    return sorted(((count, str(path.relative_to(tree))) for count, path in counts), reverse=True)


def _used_first(names: set[str], edges: set[tuple[str, str]]) -> list[str]:
    """An order in which each room stands after those that it uses, as far as there is one."""
    order = []

    def visit(name: str, above: tuple[str, ...] = ()) -> None:
        if name not in order and name not in above:
            for _, other in sorted(edge for edge in edges if edge[0] == name and edge[1] in names):
                visit(other, (*above, name))
            order.append(name)

    for name in sorted(names):
        visit(name)
    return list(dict.fromkeys(order))


def draw(tree: Path, path: Path) -> None:
    """Draws the rooms one above the other, the ground at the bottom, and an arrow to each room that one uses."""
    import matplotlib.figure

    edges = arrows(tree)
    names = {name for edge in edges for name in edge} | {room(module) for module in imports(tree) if "." in module}
    names -= {"the door"}
    order = [name for name in ROOMS if name in names] if names <= set(ROOMS) else _used_first(names, edges)
    place = {name: i for i, name in enumerate(order)}
    figure = matplotlib.figure.Figure(figsize=(9, 0.9 + 0.42 * len(order)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    for begin, end in sorted(edges):
        if begin in place and end in place:
            downwards = place[end] < place[begin]
            bend = 0.08 + 0.42 * abs(place[begin] - place[end]) / len(order)
            arrow = {"arrowstyle": "->", "color": "tab:blue" if downwards else "tab:red", "alpha": 0.55, "linewidth": 1}
            side = 1 if downwards else -1
            arrow["connectionstyle"] = f"arc3,rad={-bend}"
            x = 0.5 + side * 0.09
            axes.annotate("", (x, place[end]), (x, place[begin]), arrowprops=arrow)
    for name, height in place.items():
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "0.4"}
        axes.text(0.5, height, name, ha="center", va="center", fontsize=9, bbox=box)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.set_title(f"{len(order)} rooms, {len(edges)} arrows; blue: to a room below, red: to one above")
    figure.savefig(path, dpi=110)


def report(tree: Path) -> str:
    """What there is to say of the structure."""
    modules = imports(tree)
    lines = [f"modules: {len(modules)}, rooms: {len({room(module) for module in modules if '.' in module})}"]
    lines.append(f"arrows between modules: {sum(map(len, modules.values()))}, between rooms: {len(arrows(tree))}")
    found = circles(modules)
    lines.append(f"circles of modules: {len(found)}" + "".join(f"\n  {' <-> '.join(group)}" for group in found))
    folders = [folder for folder in CHECKED if (tree / folder).is_dir()]
    for what, measured in (("files", files(tree, *folders)), ("functions", functions(tree, *folders))):
        lines.append(f"longest {what}")
        lines += [f"  {length:4} lines  {name}" for length, name in measured[:5]]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="default: the project")
    parser.add_argument("--draw", type=Path, metavar="FILE.png", help="draw the rooms and their arrows")
    arguments = parser.parse_args()
    print(report(arguments.tree.resolve()))
    if arguments.draw:
        draw(arguments.tree.resolve(), arguments.draw)
