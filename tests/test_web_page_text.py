"""What the files of the page say, without a browser."""

import re

from conftest import ROOT

PAGE = ROOT / "historynet/web/page"


def test_the_page_names_no_outside_address():
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        outside = re.findall(r"(?:https?:|\"|'|\()//[^\s\"')]+", text)
        assert [one for one in outside if "www.w3.org/2000/svg" not in one] == [], path.name
        assert "innerHTML" not in text and "insertAdjacentHTML" not in text and "eval(" not in text
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", html)


def test_what_is_to_be_installed_for_the_page_has_an_engine():
    for name in ("README.md", "docs/web.md", "historynet/commands/web.py"):
        found = re.findall(r"'\.\[([\w,-]*\bweb\b[\w,-]*)\]'", (ROOT / name).read_text(encoding="utf-8"))
        assert found, name
        assert all({"tensorflow", "jax"} & set(extras.split(",")) for extras in found), name
