/** The page: what is to be seen, and what is pressed. Names are only ever set as text. */

import * as files from "./files.js";
import * as film from "./film.js";
import incoming from "./incoming.js";
import { address, ask, listen, Lost, Refused } from "./server.js";
import say from "./saying.js";
import * as settings from "./settings.js";
import * as shelf from "./shelf.js";
import * as stage from "./stage.js";
import { bytes, count, left, sentenceOf } from "./words.js";

const SETTLED = 350;        // milliseconds without a change after which settings are sent
const MOVED = 1500;         // the same, of a slider that may still be held
const PREVIEW = 768;        // pixels of the long side, while a slider moves
const MORE = 4;             // colours to choose among, each time

const { items } = files;
const element = (id) => document.getElementById(id);
let options = null;
let current = null;
let ended = false;

function add(given) {
  if (!options || ended || !given.length) return;
  const first = files.add(given);
  if (!current) choose(first);
  render();
}

/* ---- Settings. ---- */

let asking = false;
let again = false;

/** What a slider will give, at once: the server has kept what the network said. */
async function preview() {
  const item = current;
  if (!item.result || item.kind === "film" || item.kept) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  Object.assign(item, { alternative: 0, moved: true });
  await colours(item);
  asking = false;
  if (again && item === current) preview();
  again = false;
}

function onSetting(how) {
  const item = current;
  files.remember(item.settings);
  if (how === "moving") preview();
  else if (how === "other") item.moved = false;
  clearTimeout(item.settling);
  // A film takes long: it has a button.
  if (item.id && item.state !== "gone" && item.kind !== "film") {
    item.settling = setTimeout(() => files.colorize(item), how === "moving" ? MOVED : SETTLED);
  }
  renderCurrent();
}

function everywhere() {
  for (const item of items) {
    if (item === current) continue;
    item.settings = { ...current.settings, alternatives: 0, seed: 0 };
    // Films take long: they wait for their button.
    if (item.id && item.state !== "gone" && item.kind !== "film") files.colorize(item);
  }
  say("All pictures get these settings.");
}

function more() {
  const most = settings.model(current.settings.model).alternatives;
  if (current.settings.alternatives) current.settings.seed += 1;
  current.settings.alternatives = Math.min(MORE, most);
  settings.show(current.settings, current.kind === "film");
  say("Other colours are being made.");
  files.colorize(current);
}

/* ---- The picture. ---- */

function choose(item, focus = false) {
  shelf.choose(item, focus);
  if (current === item) return;
  current = item;
  film.stop();
  settings.show(item.settings, item.kind === "film");
  stage.begin(item.width, item.height);
  display(item);
  render();
}

function display(item) {
  if (!item.id || item.state === "gone") return;
  settings.show(item.settings, item.kind === "film");
  stage.put("before", address.before(item.id, stage.side(), item.page), `${item.name}, the original`);
  if (item.result) colours(item);
}

/** The result, or while a slider is ahead of it what that will give. */
function colours(item) {
  const side = stage.side();
  const which = item.alternative ? `, other colours ${item.alternative}` : "";
  const from = item.moved ? address.preview(item.result, Math.min(side, PREVIEW), item.page, item.settings)
    : address.after(item.result, side, item.page, item.alternative);
  return stage.put("after", from, item.kept ? `${item.name}, left as it is` : `${item.name}, coloured${which}`);
}

function remove(item) {
  const here = items.indexOf(item);
  files.remove(item);
  say(`${item.name} was removed.`);
  if (item === current) {
    current = null;
    film.stop();
    stage.begin(0, 0);
    if (items.length) choose(items[Math.min(here, items.length - 1)], true);
  }
  render();
  if (!items.length) element("choose").focus();
}

function removeAll() {
  [...items].forEach(files.remove);
  current = null;
  film.stop();
  stage.begin(0, 0);
  banner("");
  render();
  say("All files were removed.");
  element("choose").focus();
}

/* ---- What is to be seen. ---- */

function changed(item) {
  shelf.update(item);
  renderTotals();
  if (item === current) renderCurrent();
}

function shown(item, first) {
  if (!current) choose(item);
  else if (item === current) {
    if (first) stage.reveal();
    display(item);
  }
  render();
}

function render() {
  element("empty").hidden = items.length > 0;
  element("work").hidden = element("top-actions").hidden = !items.length;
  document.body.classList.toggle("without-work", !items.length);
  renderTotals();
  if (current) renderCurrent();
}

function renderTotals() {
  const ready = items.filter((item) => item.result && item.state !== "gone");
  element("count").textContent = items.length > 1
    ? [...shelf.totals(items), left(files.secondsLeft())].filter(Boolean).join(", ") : "";
  element("all").hidden = items.length < 2 || !items.some(shelf.isBusy);
  element("all").max = items.length || 1;
  element("all").value = items.reduce((sum, item) => sum + (item.state === "working" ? item.part
    : shelf.isBusy(item) ? 0 : 1), 0);
  const all = element("download-all");
  all.hidden = ready.length < 2;
  if (ready.length > 1) all.href = address.zip(ready.map((item) => item.result));
  all.textContent = "Download all (zip)";
  element("everywhere").hidden = items.length < 2;
}

function renderCurrent() {
  const item = current;
  element("name").textContent = item.name;
  element("facts").textContent = shelf.facts(item);
  const busy = shelf.isBusy(item);
  element("waiting").hidden = !busy;
  if (busy) {
    element("waiting-text").textContent = shelf.sentence(item);
    const bar = element("waiting-bar");
    bar.hidden = !["sending", "reading", "working"].includes(item.state);
    if (item.state === "sending" || (item.state === "working" && item.total > 1)) bar.value = item.part;
    else bar.removeAttribute("value");
  }
  element("trouble").hidden = !(shelf.isBad(item) || item.state === "stopped");
  element("trouble-text").textContent = shelf.stateOf(item);
  element("again").hidden = !(item.id ? ["failed", "lost", "stopped"] : ["lost"]).includes(item.state);
  renderResult(item);
}

function renderResult(item) {
  const ready = Boolean(item.result) && item.state !== "gone";
  const download = element("download");
  const link = ready && item.state === "done";
  download.setAttribute("aria-disabled", String(!link));
  if (link) download.href = address.download(item.result, item.alternative);
  else download.removeAttribute("href");
  element("tag-after").textContent = item.kept ? "Left as it is" : "Coloured";
  element("play").hidden = !(ready && item.kind === "film");
  element("zoom").inert = film.isPlaying();
  element("redo").disabled = !item.id || ["queued", "working", "gone"].includes(item.state);
  const lines = [...new Set([...item.notes, ...item.resultNotes])].map((text) => {
    const line = document.createElement("li");
    line.textContent = sentenceOf(text);
    return line;
  });
  element("notes").replaceChildren(...lines);
  renderPages(item);
  renderAlternatives(item, ready);
}

/** A document's pages: they are looked at one by one, and downloaded together. */
function renderPages(item) {
  element("pages").hidden = !(item.pages > 1);
  element("page").textContent = `Page ${item.page + 1} of ${item.pages}`;
  element("page-before").disabled = item.page === 0;
  element("page-after").disabled = item.page >= item.pages - 1;
}

function turn(by) {
  current.page += by;
  stage.begin(0, 0);
  display(current);
  renderCurrent();
}

function renderAlternatives(item, ready) {
  const count = ready && item.kind === "picture" ? item.alternatives : 0;
  const box = element("alternatives");
  element("choices").hidden = !count;
  const mark = count ? item.result : "";
  if (box.dataset.of !== mark) {
    box.dataset.of = mark;
    box.replaceChildren(...Array.from({ length: count ? count + 1 : 0 }, (_, place) => choice(item, place)));
  }
  for (const input of box.querySelectorAll("input")) input.checked = Number(input.value) === item.alternative;
}

function choice(item, place) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "alternative", value: place });
  input.addEventListener("change", () => {
    item.alternative = place;
    display(item);
    renderCurrent();
  });
  const image = new Image();
  image.alt = "";
  image.src = address.after(item.result, 256, item.page, place);
  const name = document.createElement("span");
  name.textContent = place ? `Other ${place}` : "Likeliest";
  label.append(input, image, name);
  return label;
}

function banner(text, button = "", act = null) {
  element("banner").hidden = !text;
  element("banner-text").textContent = text;
  element("banner-button").hidden = !button;
  element("banner-button").textContent = button;
  element("banner-button").onclick = act;
}

function end() {
  if (ended) return;
  ended = true;
  files.lose();
  element("add").disabled = element("choose").disabled = true;
  banner("This session has ended, and its files were removed from the server.", "Start again", () => location.reload());
}

/* ---- What is pressed. ---- */

function wire() {
  incoming(add);
  element("clear").addEventListener("click", () => element("confirm").showModal());
  element("confirm").addEventListener("close", () => {
    if (element("confirm").returnValue === "remove") removeAll();
    element("confirm").returnValue = "";
  });
  element("remove").addEventListener("click", () => remove(current));
  element("page-before").addEventListener("click", () => turn(-1));
  element("page-after").addEventListener("click", () => turn(1));
  film.start(() => {
    if (film.isPlaying()) film.stop();
    else film.play(current);
    renderCurrent();
  }, () => {
    film.stop();
    renderCurrent();
    banner("This browser cannot play the film. Please download it.", "Close", () => banner(""));
  });
  element("redo").addEventListener("click", () => files.colorize(current));
  element("everywhere").addEventListener("click", everywhere);
  element("more").addEventListener("click", more);
  element("again").addEventListener("click", () => files.retry(current));
  window.addEventListener("pagehide", files.leave);
}

/* ---- The beginning. ---- */

function connected(state) {
  if (state === "ended") end();
  else if (!ended) banner(state === "lost" ? "The connection to the server is lost. Trying again …" : "");
}

async function begin() {
  stage.start(() => { if (current) display(current); });
  shelf.start(choose, remove);
  wire();
  render();
  try {
    options = await ask("GET", "options");
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Lost)) throw error;
    element("empty-title").textContent = "The server does not answer as it should";
    banner(error.message, "Try again", () => location.reload());
    return;
  }
  settings.start(options, onSetting);
  files.start(options, settings.defaults(), { changed, shown, said: say, ended: end });
  const { limits } = options;
  const fingers = matchMedia("(hover: none) and (pointer: coarse)").matches;
  element("empty-title").textContent = fingers ? "Photographs or a film" : "Drop photographs or a film here";
  element("kept").textContent = `Files are removed when you say so, when you close this page, or `
    + `${count(Math.round(limits.keep_minutes), "minute")} after their last use.`;
  element("limits").textContent = `JPEG, PNG, TIFF, HEIC, MP4 and many more: up to ${bytes(limits.bytes)}, `
    + `films up to ${count(Math.round(limits.film_seconds / 60), "minute")}.`;
  element("about").textContent = `HistoryNet ${options.version}. Colours are a network's guess. Nothing is loaded from `
    + "anywhere but this server.";
  element("choose").disabled = false;
  listen(files.happened, connected);
}

begin();
