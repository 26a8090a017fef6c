/** The list of files: a listbox with one stop of the Tab key, as people with screen readers know it. */

import { clock, count, left, number, ordinal, sentenceOf } from "./words.js";

const list = document.getElementById("list");
const rows = new Map();     // by item

function row(item) {
  const line = document.createElement("li");
  line.id = `file-${item.key}`;
  line.role = "option";
  line.ariaSelected = "false";
  line.tabIndex = -1;
  const thumb = document.createElement("span");
  thumb.className = "thumb";
  const title = document.createElement("span");
  title.className = "title";
  title.textContent = item.name;
  title.title = item.name;
  const state = document.createElement("span");
  state.className = "state";
  line.append(thumb, title, state);
  rows.set(item, line);
  return line;
}

/** What of a job has only begun says nothing about the rest. */
const leftOf = (item) => item.state === "working" && item.total > 1 && item.part < 0.02 ? "" : left(item.left);

/** One line on how it stands, for the list. */
export function stateOf(item) {
  const left_ = leftOf(item);
  const percent = `${Math.floor((item.part ?? 0) * 100)}%`;
  switch (item.state) {
    case "waiting": return "Waits to be sent";
    case "sending": return `Sending, ${percent}`;
    case "reading": return "Being looked at";
    case "patient": return "The server is busy, waiting";
    case "queued": return item.place > 0 ? `${ordinal(item.place)} in the queue` : "In the queue";
    case "working": return `Colouring${item.total > 1 ? `, ${percent}` : ""}${left_ && `, ${left_}`}`;
    case "done": return item.kept ? "Left as it is" : item.kind === "film" ? "Film, done" : "Done";
    case "stopped": return "Stopped";
    default: return sentenceOf(item.error || "Not done");
  }
}

/** The same in a sentence, for the place of the picture. */
export function sentence(item) {
  const left_ = leftOf(item);
  if (item.state === "working" && item.kind === "film" && item.total > 1) {
    return `Colouring, ${number(item.done)} of ${count(item.total, "frame")}${left_ && `, ${left_}`}`;
  }
  if (item.state === "queued" && item.place > 0) {
    return `${ordinal(item.place)} in the queue${left_ && `, ${left_}`}`;
  }
  return stateOf(item);
}

/** What it is. */
export function facts(item) {
  const parts = [];
  if (item.width) parts.push(`${item.width} × ${item.height}`);
  if (item.seconds) parts.push(clock(item.seconds));
  if (item.pages > 1) parts.push(count(item.pages, "page"));
  return parts.join(" · ");
}

const BUSY = ["waiting", "sending", "reading", "patient", "queued", "working"];

export const isBusy = (item) => BUSY.includes(item.state);

export const isBad = (item) => ["refused", "failed", "lost", "gone"].includes(item.state);

/** How many of them are done, and how many never will be. */
export function totals(items) {
  const done = items.filter((item) => item.state === "done").length;
  const bad = items.filter(isBad).length;
  const of = bad && done + bad === items.length ? "" : ` of ${number(items.length)}`;
  return [`${number(done)}${of} done`, bad ? `${number(bad)} could not be done` : ""];
}

export function add(item) {
  list.append(row(item));
  update(item);
}

export function remove(item) {
  rows.get(item)?.remove();
  rows.delete(item);
}

export function update(item) {
  const line = rows.get(item);
  if (!line) return;
  line.querySelector(".state").textContent = stateOf(item);
  line.classList.toggle("bad", isBad(item));
}

export function picture(item, address) {
  const thumb = rows.get(item)?.querySelector(".thumb");
  if (!thumb) return;
  const image = new Image();
  image.alt = "";
  image.onload = () => thumb.replaceChildren(image);
  image.src = address;
}

export function choose(item, focus) {
  for (const [one, line] of rows) {
    line.ariaSelected = String(one === item);
    line.tabIndex = one === item ? 0 : -1;
  }
  const line = rows.get(item);
  if (focus) line?.focus();
  line?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** `chosen(item)` and `removed(item)` hear of clicks and keys. */
export function start(chosen, removed) {
  const items = () => [...rows.keys()];
  const at = (event) => items().find((item) => rows.get(item) === event.target.closest("li"));
  list.addEventListener("click", (event) => {
    const item = at(event);
    if (item) chosen(item, true);
  });
  list.addEventListener("keydown", (event) => {
    const all = items();
    const here = all.indexOf(at(event));
    if (here < 0) return;
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    const next = event.key in steps ? here + steps[event.key] : event.key === "Home" ? 0
      : event.key === "End" ? all.length - 1 : null;
    if (next !== null) chosen(all[Math.max(0, Math.min(all.length - 1, next))], true);
    else if (event.key === "Delete" || event.key === "Backspace") removed(all[here]);
    else return;
    event.preventDefault();
  });
}
