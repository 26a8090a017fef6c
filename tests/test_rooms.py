"""The house keeps its order: who may use whom, and how long files and functions may be (docs/design.md)."""

import ast
import re

import pytest
from conftest import ROOT
from structure import CHECKED, ROOMS, circles, files, functions, imports, module_name, room, sources

LONGEST_FILE, LONGEST_FUNCTION = 350, 60

GRAPHS = {
    "historynet/systems/historynet/generator.py:build_generator",
    "historynet/systems/film_cnn/network.py:build_network",
    "historynet/systems/pix2pix/unet.py:build_generator",
}
"""Functions that may be longer: a network's graph reads from input to output."""

ENTRANCE = "historynet.weights.__main__"
"""`python -m historynet.weights`, which nobody imports: its command line is in `commands`."""


def test_every_room_is_in_the_order():
    rooms = {room(module) for module in imports(ROOT) if "." in module}
    assert rooms == set(ROOMS)


def test_the_documented_modules_are_in_their_rooms():
    room_path, documented, missing = ROOT / "historynet", 0, []
    for line in (ROOT / "docs/design.md").read_text(encoding="utf-8").splitlines():
        where = line.split("|")[1] if line.startswith("| ") else ""
        if heading := re.search(r"\*\*`([a-z0-9_/]+)/`\*\*", where):
            room_path = ROOT / "historynet" / heading[1]
        for name in re.findall(r"`(?:\*/)?(\w+\.py)`", where):
            documented += 1
            if not any(room_path.rglob(name)):
                missing.append(f"{name} in {room_path.name}")
    assert documented > 100 and not missing, missing


def test_a_room_uses_rooms_below_it_only():
    place = {name: i for i, name in enumerate(ROOMS)}
    wrong = [
        f"{module} imports {other}"
        for module, others in imports(ROOT).items()
        for other in others
        if "." in module and module != ENTRANCE and other != "historynet" and place[room(other)] > place[room(module)]
    ]
    assert not wrong, "\n".join(sorted(wrong))


def system_of(module):
    """The system whose folder a module is in; None for what is nobody's or all systems'."""
    parts = module.split(".")
    is_a_systems = parts[1:2] == ["systems"] and len(parts) > 2 and (ROOT / "historynet/systems" / parts[2]).is_dir()
    return parts[2] if is_a_systems else None


def test_no_system_uses_another_and_what_they_share_uses_none():
    wrong = [
        f"{module} imports {other}"
        for module, others in imports(ROOT).items()
        for other in others
        if module.startswith("historynet.systems") and system_of(other) not in (None, system_of(module))
    ]
    assert not wrong, "\n".join(wrong)


def test_reading_and_steadying_films_need_no_network():
    found = imports(ROOT)
    for module in ("historynet.films.reading", "historynet.films.steadying"):
        reached, waiting = set(), [module]
        while waiting:
            for other in found[waiting.pop()] - reached:
                reached.add(other)
                waiting.append(other)
        assert not [other for other in reached if room(other) in ("systems", "weights", "colorizing")], module


def test_there_is_no_circle():
    assert circles(imports(ROOT)) == []


def test_circles_are_found():
    """The finder itself, on a graph whose circles are known."""
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert circles(edges) == [["d", "e"], ["a", "b", "c"]]


def test_no_file_is_too_long():
    assert [(lines, name) for lines, name in files(ROOT, *CHECKED) if lines > LONGEST_FILE] == []


def test_no_function_is_too_long():
    long = [(lines, name) for lines, name in functions(ROOT, *CHECKED) if lines > LONGEST_FUNCTION]
    assert [name for _, name in long if name not in GRAPHS] == []


@pytest.mark.parametrize("library", ["tensorflow", "jax", "torch"])
def test_engines_stay_in_their_places(library):
    """Networks, losses and colorizing use Keras only; an engine is imported where it is started and where it trains."""
    places = {
        "tensorflow": {
            "historynet.backend.on_tensorflow",
            "historynet.training.tensorflow_step",
            "historynet.training.strategy",
        },
        "jax": {"historynet.backend.on_jax", "historynet.training.jax_step", "historynet.training.jax_devices"},
        "torch": {"historynet.comparing.perceptual", "historynet.experiments.last_layer"},
    }.get(library, set())
    using = set()
    for path in sources(ROOT, "historynet"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == library for name in names):
                using.add(module_name(path, ROOT))
    assert using == places


def test_training_speaks_of_no_system():
    """The words of HistoryNet's networks and losses stand in its own room, so that other systems can be trained."""
    words = ("parsing", "L_cls", "L_info", "generator", "discriminator", "classifier", "sign.txt", "chroma")
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in sources(ROOT, "historynet/training")
        for word in words
        if word.lower() in path.read_text(encoding="utf-8").lower()
    ]
    assert not found, "\n".join(found)


def test_lines_of_the_documents_are_short():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("tests/*/*.md")]
    long = [
        f"{page.relative_to(ROOT)}:{number}"
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > 120
    ]
    assert len(pages) > 10
    assert not long, "\n".join(long)
