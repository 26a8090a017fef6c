"""The survey's page in Chromium alone, without a driver: a script plays the viewer, and the clock runs fast."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from conftest import write_picture

from historynet.comparing import answers, survey

pytestmark = pytest.mark.slow

TYPES = ("first", "second", "third", "truth")


@pytest.fixture
def page(tmp_path):
    """A page of four types of five pictures."""
    for i, kind in enumerate(TYPES):
        for j in range(5):
            write_picture(tmp_path / kind / f"{'film' if kind == 'truth' else 'old'}{j}.png", 10 * i + j)
    chosen = survey.choose({kind: tmp_path / kind for kind in TYPES}, "truth", 5, 0)
    survey.write_page(tmp_path / "page.html", chosen, TYPES, "truth", 960)
    return tmp_path / "page.html"


def in_browser(page, script):
    """What a script, put at the end of the page, returns by done(value) in Chromium, whose clock runs fast."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium on this machine")
    tried = page.with_name("tried.html")
    report = "const done = (value) => { const one = document.createElement('pre'); one.id = 'report'; "
    report += "one.textContent = JSON.stringify(value); document.body.append(one); };"
    tried.write_text(page.read_text().replace("</body>", f"<script>{report}\n{script}</script></body>"))
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=600000", "--dump-dom"]
    command = [browser, *options, tried.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.search(r'<pre id="report">(.*?)</pre>', shown, re.DOTALL)
    assert found, shown[-2000:]
    return json.loads(html.unescape(found[1]))


def test_the_page_draws_the_order_that_results_expect(page):
    asked = survey.read_page(page)
    users = [f"user-{i}" for i in range(50)]
    found = in_browser(page, f"done({json.dumps(users)}.map((user) => orderOf(user).map((i) => key.pictures[i])));")
    assert found == [[list(shown) for shown in asked.order(user)] for user in users]


PARTICIPANT = """
const wait = (condition) => new Promise((go) => {
  const timer = setInterval(() => { if (condition()) { clearInterval(timer); go(); } }, 20);
});
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
(async () => {
  await wait(() => !element("begin").disabled);
  element("participant").value = "Viewer";
  element("start-view").requestSubmit();
  const gone = [], keys = ["y", "n", "s", "ArrowLeft", "ArrowRight", "ArrowDown"];
  for (let i = 0; i < 20; i++) {
    await wait(() => phase === "picture" || phase === "broken");
    if (phase === "broken") { element("go-on").click(); continue; }
    if (i % 5 === 2) {
      const began = performance.now();
      await wait(() => phase === "question");
      gone.push([document.querySelectorAll("#stage img").length, (performance.now() - began) / 1000]);
    }
    if (i === 9) {      // an end before the end, and on
      press("Escape");
      element("stop").click();
      element("return").click();
      await wait(() => phase === "question");
    }
    press(keys[i % 6]);
  }
  await wait(() => !element("end-view").hidden);
  done({ csv: csv(), gone, kept: Object.keys(sessions), view: element("end-view").innerText });
})();
"""


def test_a_viewer_at_the_keyboard_is_read_back(page):
    asked = survey.read_page(page)
    report = in_browser(page, PARTICIPANT)
    path = page.with_name("answers_viewer.csv")
    path.write_text(report["csv"])
    given, left_out = answers.read_answers(asked, [path])
    assert left_out == []
    said = dict(zip(asked.pictures, given[0], strict=True))
    expected = [1, 0, np.nan] * 7
    np.testing.assert_array_equal([said[shown] for shown in asked.order("viewer")], expected[:20])
    # Each picture vanished after three seconds, and the answer was still taken.
    assert len(report["gone"]) == 4
    for shown, seconds in report["gone"]:
        assert shown == 0
        assert 2.9 < seconds < 3.5
    assert report["kept"] == ["viewer"]
    assert "14 of 20 pictures" in report["view"]


def test_a_picture_that_cannot_be_shown_counts_as_missing(page):
    text = page.read_text()
    content = text.split('id="survey">')[1].split("</script>")[0]
    first = json.loads(content)["pictures"][0]
    page.write_text(text.replace(first, "AAAA"))
    asked = survey.read_page(page)
    report = in_browser(page, PARTICIPANT)
    path = page.with_name("answers_viewer.csv")
    path.write_text(report["csv"])
    given, left_out = answers.read_answers(asked, [path])
    assert left_out == []
    assert np.isnan(given[0][0])
