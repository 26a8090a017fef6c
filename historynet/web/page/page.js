/** The page: files come in, are sent, coloured, looked at and taken away. Names are only ever set as text. */

import { address, ask, listen, Lost, Refused, upload } from "./server.js";
import * as settings from "./settings.js";
import * as shelf from "./shelf.js";
import * as stage from "./stage.js";
import { bytes, clock, count } from "./words.js";

const SENDING = 2;          // files at a time
const SETTLED = 350;        // milliseconds without a change before the settings are sent
const MORE = 4;             // colours to choose among, each time

const element = (id) => document.getElementById(id);
const items = [];
const unknown = new Map();  // events of files that are not in the list yet
let options = null;
let current = null;
let latest = null;          // settings that a new file gets
let ended = false;
let keys = 0;

/* ---- Files come in. ---- */

function newItem(name, file = null) {
  const item = {
    key: keys++, name, file, id: null, kind: "picture", state: "waiting", part: 0, notes: [], error: "", left: null,
    settings: { ...latest, alternatives: 0, seed: 0 }, wanted: null, result: null, alternative: 0, alternatives: 0, order: 0,
  };
  items.push(item);
  shelf.add(item);
  return item;
}

function add(files) {
  if (!options || ended || !files.length) return;
  let added = null;
  for (const file of files) {
    const item = newItem(file.name || "Pasted picture", file);
    added ??= item;
    if (items.length > options.limits.inputs) refuse(item, `At most ${count(options.limits.inputs, "file")} at a time.`);
    else if (file.size > options.limits.bytes) refuse(item, `Larger than ${bytes(options.limits.bytes)}.`);
    else if (!file.size) refuse(item, "This file is empty.");
  }
  say(files.length === 1 ? `${added.name} was added.` : `${count(files.length, "file")} were added.`);
  render();
  if (!current || !items.includes(current)) choose(added);
  sendNext();
}

function refuse(item, why, state = "refused") {
  Object.assign(item, { state, error: why, left: null });
  changed(item);
}

async function sendNext() {
  if (items.filter((item) => item.state === "sending" || item.state === "reading").length >= SENDING) return;
  const item = items.find((one) => one.state === "waiting");
  if (!item) return;
  item.state = "sending";
  changed(item);
  sendNext();
  try {
    const got = await patiently(item, "sending", () => upload(item.file, (part) => {
      // All is there, and the server reads it.
      Object.assign(item, { part, state: part < 1 ? "sending" : "reading" });
      changed(item);
    }, (request) => { item.request = request; }));
    if (!items.includes(item)) {
      ask("DELETE", `inputs/${got.id}`).catch(() => {});
      return;
    }
    Object.assign(item, got, { name: item.name, state: "queued", part: 0, place: 0, file: null });
    ready(item);
    colorize(item);
  } catch (error) {
    trouble(item, error);
  } finally {
    item.request = null;
    sendNext();
  }
}

/** Does it, and does it again when a server that is busy says so. */
async function patiently(item, state, act) {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Refused) || error.wait === null || !items.includes(item)) throw error;
      item.state = "patient";
      changed(item);
      await new Promise((resolve) => setTimeout(resolve, error.wait * 1000));
      item.state = state;
    }
  }
}

function trouble(item, error) {
  if (!items.includes(item)) return;
  if (error instanceof Refused && error.status === 403) end();
  else if (error instanceof Lost) refuse(item, error.message, "lost");
  else if (error instanceof Refused) refuse(item, error.message, error.status === 404 ? "gone" : "refused");
  else throw error;
}

/** The server has it: it can be seen. */
function ready(item) {
  shelf.picture(item, address.before(item.id, 256));
  changed(item);
  if (item === current) display(item);
  const waiting = unknown.get(item.id) ?? [];
  unknown.delete(item.id);
  waiting.forEach(happened);
}

/* ---- They are coloured. ---- */

async function colorize(item) {
  const order = ++item.order;
  try {
    const { result } = await patiently(item, "queued", () => ask("POST", `inputs/${item.id}/colorize`, item.settings));
    // Settings that were changed meanwhile have their own answer.
    if (order !== item.order) return;
    item.wanted = result;
    if (result === item.result) Object.assign(item, { state: "done", left: null });
    const event = item.events?.get(result);
    if (event) apply(item, event);
    changed(item);
  } catch (error) {
    if (order === item.order) trouble(item, error);
  }
}

function happened(event) {
  const item = items.find((one) => one.id === event.input);
  if (!item) {
    if (event.state !== "removed") unknown.set(event.input, [...unknown.get(event.input) ?? [], event].slice(-20));
    return;
  }
  if (event.state === "removed") {
    refuse(item, "Removed from the server, as its time was over.", "gone");
    return;
  }
  item.events ??= new Map();
  item.events.set(event.result, event);
  if (event.result === item.wanted) apply(item, event);
}

function apply(item, event) {
  const before = item.state;
  const state = { cancelled: "stopped" }[event.state] ?? event.state;
  Object.assign(item, {
    state, place: event.place ?? 0, left: event.seconds_left ?? null, done: event.done, total: event.total,
    part: event.total ? event.done / event.total : 0, error: event.error ?? "",
  });
  if (state === "done") {
    const first = !item.result;
    Object.assign(item, { result: event.result, results: event.notes ?? [], alternatives: event.alternatives ?? 0,
      leftAlone: Boolean(event.left), saved: event.download });
    item.alternative = Math.min(item.alternative, item.alternatives);
    if (item === current) {
      if (first) stage.reveal();
      display(item);
    }
    shelf.picture(item, address.after(item.result, 256, 0));
  }
  if (state !== before && (state === "done" || state === "failed")) tell(item);
  changed(item);
}

function tell(item) {
  const done = items.filter((one) => one.state === "done").length;
  const rest = items.length > 1 ? ` ${done} of ${items.length} files.` : "";
  say(item.state === "done" ? `${item.name} is done.${rest}` : `${item.name}: ${item.error}`);
}

/* ---- Settings. ---- */

let settling = 0;
let asking = false;
let again = false;

/** What a slider will give, at once: the server has kept what the network said. */
async function preview() {
  const item = current;
  if (!item.result || item.kind === "film" || item.leftAlone) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  item.alternative = 0;
  await stage.put("after", address.preview(item.result, stage.side(), item.settings), `${item.name}, coloured`);
  asking = false;
  if (again && item === current) preview();
  again = false;
}

function onSetting(how) {
  latest = { ...current.settings };
  if (how === "moving") preview();
  clearTimeout(settling);
  const item = current;
  const usable = item.id && item.state !== "gone";
  if (usable && item.kind !== "film") settling = setTimeout(() => colorize(item), how === "moving" ? 1500 : SETTLED);
  renderCurrent();
}

function everywhere() {
  for (const item of items) {
    if (item === current) continue;
    item.settings = { ...current.settings, alternatives: 0, seed: 0 };
    if (item.id && item.state !== "gone") colorize(item);
  }
  say("All files get these settings.");
}

function more() {
  const most = settings.model(current.settings.model).alternatives;
  if (current.settings.alternatives) current.settings.seed += 1;
  current.settings.alternatives = Math.min(MORE, most);
  settings.show(current.settings, current.kind === "film");
  say("Other colours are being made.");
  colorize(current);
}

/* ---- They are looked at. ---- */

function choose(item, focus = false) {
  if (current === item) {
    shelf.choose(item, focus);
    return;
  }
  clearTimeout(settling);
  // What was moved but not sent yet is not lost.
  current = item;
  film(false);
  shelf.choose(item, focus);
  settings.show(item.settings, item.kind === "film");
  stage.begin(item.width, item.height);
  display(item);
  render();
}

function display(item) {
  if (!item.id || item.state === "gone") return;
  settings.show(item.settings, item.kind === "film");
  const side = stage.side();
  stage.put("before", address.before(item.id, side), `${item.name}, the original`);
  if (!item.result) return;
  const which = item.alternative ? `, other colours ${item.alternative}` : "";
  stage.put("after", address.after(item.result, side, item.alternative), `${item.name}, coloured${which}`);
}

function film(playing) {
  const video = element("film");
  element("play").setAttribute("aria-pressed", String(playing));
  element("play").textContent = playing ? "Stop" : "Play the film";
  video.hidden = !playing;
  if (playing) {
    video.src = address.download(current.result, 0);
    video.setAttribute("aria-label", `${current.name}, coloured`);
    video.play().catch(() => {});
    video.focus();
  } else if (video.hasAttribute("src")) {
    video.pause();
    video.removeAttribute("src");
    video.load();
  }
}

function remove(item) {
  const here = items.indexOf(item);
  item.request?.abort();
  items.splice(here, 1);
  shelf.remove(item);
  if (item.id) ask("DELETE", `inputs/${item.id}`).catch(() => {});
  say(`${item.name} was removed.`);
  if (item === current) {
    current = null;
    film(false);
    stage.begin(0, 0);
    if (items.length) choose(items[Math.min(here, items.length - 1)], true);
  }
  render();
  if (!items.length) element("choose").focus();
}

async function removeAll() {
  for (const item of items.splice(0)) {
    item.request?.abort();
    shelf.remove(item);
  }
  current = null;
  stage.begin(0, 0);
  film(false);
  await ask("POST", "end").catch(() => {});
  // A new session, whatever became of the last one.
  location.reload();
}

/* ---- What is to be seen. ---- */

function say(text) {
  element("announcer").textContent = text;
}

function changed(item) {
  shelf.update(item);
  renderTotals();
  if (item === current) renderCurrent();
}

function render() {
  element("empty").hidden = items.length > 0;
  element("work").hidden = element("top-actions").hidden = !items.length;
  document.body.classList.toggle("without-work", !items.length);
  renderTotals();
  if (current) renderCurrent();
}

function renderTotals() {
  const good = items.filter((item) => !shelf.isBad(item));
  const done = good.filter((item) => item.state === "done");
  const ready = items.filter((item) => item.result && item.state !== "gone");
  element("count").textContent = good.length > 1 ? `${done.length} of ${good.length} done` : "";
  element("all").hidden = good.length < 2 || done.length === good.length;
  element("all").max = good.length || 1;
  element("all").value = good.reduce((sum, item) => sum + (item.state === "done" ? 1
    : item.state === "working" ? Math.min(item.part, 0.99) : 0), 0);
  const all = element("download-all");
  all.hidden = ready.length < 2;
  if (ready.length > 1) all.href = address.zip(ready.map((item) => item.result));
  all.textContent = `Download all ${ready.length} (zip)`;
  element("everywhere").hidden = items.length < 2;
}

function renderCurrent() {
  const item = current;
  element("name").textContent = item.name;
  element("facts").textContent = shelf.facts(item);
  const busy = ["waiting", "sending", "reading", "patient", "queued", "working"].includes(item.state);
  element("waiting").hidden = !busy;
  if (busy) {
    element("waiting-text").textContent = shelf.sentence(item);
    const bar = element("waiting-bar");
    if (item.state === "sending" || (item.state === "working" && item.part)) bar.value = item.part;
    else bar.removeAttribute("value");
  }
  const bad = shelf.isBad(item) || item.state === "stopped";
  element("trouble").hidden = !bad;
  element("trouble-text").textContent = shelf.stateOf(item);
  element("again").hidden = !(item.file && item.state === "lost") && !(item.id && ["failed", "lost", "stopped"].includes(item.state));
  renderResult(item);
}

function renderResult(item) {
  const ready = Boolean(item.result) && item.state !== "gone";
  const download = element("download");
  download.setAttribute("aria-disabled", String(!(ready && item.state === "done")));
  if (ready && item.state === "done") download.href = address.download(item.result, item.alternative);
  else download.removeAttribute("href");
  element("play").hidden = !(ready && item.kind === "film");
  element("zoom").inert = item.kind === "film" && !element("film").hidden;
  element("redo").disabled = !item.id || ["queued", "working", "gone"].includes(item.state);
  const notes = [...new Set([...item.notes, ...item.results ?? []])];
  element("notes").replaceChildren(...notes.map((text) => {
    const line = document.createElement("li");
    line.textContent = text;
    return line;
  }));
  renderAlternatives(item, ready);
}

function renderAlternatives(item, ready) {
  const there = ready && item.alternatives > 0 && item.kind === "picture";
  element("choices").hidden = !there;
  const box = element("alternatives");
  const mark = there ? item.result : "";
  if (box.dataset.of !== mark) {
    box.dataset.of = mark;
    box.replaceChildren(...Array.from({ length: there ? item.alternatives + 1 : 0 }, (_, place) => choice(item, place)));
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
  image.src = address.after(item.result, 256, place);
  const name = document.createElement("span");
  name.textContent = place ? `Other ${place}` : "Likeliest";
  label.append(input, image, name);
  return label;
}

function banner(text, button, act) {
  element("banner").hidden = !text;
  element("banner-text").textContent = text;
  element("banner-button").hidden = !button;
  element("banner-button").textContent = button ?? "";
  element("banner-button").onclick = act ?? null;
}

function end() {
  if (ended) return;
  ended = true;
  for (const item of items) refuse(item, "Removed from the server: the session has ended.", "gone");
  element("add").disabled = element("choose").disabled = true;
  banner("This session has ended, and its files were removed from the server.", "Start again", () => location.reload());
}

/* ---- The beginning. ---- */

function wire() {
  const choosing = () => element("files").click();
  for (const id of ["choose", "add"]) element(id).addEventListener("click", choosing);
  element("files").addEventListener("change", () => {
    add([...element("files").files]);
    element("files").value = "";
  });
  element("clear").addEventListener("click", () => element("confirm").showModal());
  element("confirm").addEventListener("close", () => {
    if (element("confirm").returnValue === "remove") removeAll();
    element("confirm").returnValue = "";
  });
  element("remove").addEventListener("click", () => remove(current));
  element("play").addEventListener("click", () => {
    film(element("film").hidden);
    renderCurrent();
  });
  element("film").addEventListener("error", () => {
    if (!element("film").hasAttribute("src")) return;
    film(false);
    renderCurrent();
    say("This browser cannot play the film. Please download it.");
    banner("This browser cannot play the film. Please download it.", "Close", () => banner(""));
  });
  element("redo").addEventListener("click", () => colorize(current));
  element("everywhere").addEventListener("click", everywhere);
  element("more").addEventListener("click", more);
  element("again").addEventListener("click", () => {
    if (current.id) colorize(current);
    else Object.assign(current, { state: "waiting", part: 0 });
    changed(current);
    sendNext();
  });
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData?.files ?? []];
    if (files.length) event.preventDefault();
    add(files);
  });
  dropping();
}

function dropping() {
  let depth = 0;
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const over = (on) => { element("over").hidden = !on || ended; };
  document.addEventListener("dragenter", (event) => { if (files(event) && ++depth) over(true); });
  document.addEventListener("dragleave", (event) => { if (files(event) && --depth <= 0) over(depth = 0); });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(depth = 0);
    add([...event.dataTransfer?.files ?? []]);
  });
}

/** What a session has already, when its page is opened again. */
async function restore() {
  const { inputs } = await ask("GET", "inputs");
  for (const { results = [], ...input } of inputs) {
    const item = newItem(input.name);
    Object.assign(item, input, { state: "queued" });
    const last = results.at(-1);
    if (last) Object.assign(item, { wanted: last.result, settings: { ...item.settings, ...last.settings } });
    ready(item);
    if (last) apply(item, { input: item.id, ...last });
    else colorize(item);
  }
  if (items.length) choose(items[0]);
}

function connected(state) {
  if (state === "ended") end();
  else if (!ended) banner(state === "lost" ? "The connection to the server is lost. Trying again …" : "");
}

async function begin() {
  banner("");
  element("empty-title").textContent = "One moment …";
  try {
    options = await ask("GET", "options");
    settings.start(options, onSetting);
    latest = settings.defaults();
    await restore();
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Lost)) throw error;
    element("empty-title").textContent = "The server does not answer as it should";
    banner(error.message, "Try again", () => location.reload());
    render();
    return;
  }
  const { limits } = options;
  element("empty-title").textContent = "Drop photographs or a film here";
  element("kept").textContent = `Your files are removed when you say so, or ${limits.keep_minutes} minutes later at most.`;
  element("limits").textContent = `JPEG, PNG, TIFF, HEIC, RAW, MP4 and many more, up to ${bytes(limits.bytes)}, ` +
    `films up to ${clock(limits.film_seconds)} min.`;
  element("about").textContent = `HistoryNet ${options.version}. Colours are a network's guess. Nothing is loaded from anywhere `
    + "but this server.";
  element("choose").disabled = false;
  render();
  listen(happened, connected);
}

stage.start(() => {}, () => { if (current) display(current); });
shelf.start(choose, remove);
wire();
render();
begin();
