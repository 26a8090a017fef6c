/** What becomes of a file: it is sent, it is coloured, it goes. How it looks is the page's. */

import { address, ask, Lost, Refused, upload } from "./server.js";
import * as shelf from "./shelf.js";
import { bytes, count } from "./words.js";

const SENDING = 2;      // files at a time
const ENDED = ["done", "failed", "cancelled"];

export const items = [];

let options = null;
let latest = null;      // settings that a new file gets
let hooks = null;       // of the page: changed(item), shown(item, first), said(text), ended()
let keys = 0;
let early = [];         // events of files whose sending has not been answered yet

export function start(given, settings, ofThePage) {
  options = given;
  latest = settings;
  hooks = ofThePage;
}

/** Settings for files that come after. */
export function remember(settings) {
  latest = { ...settings };
}

/* ---- Files come in. ---- */

function create(name, file = null) {
  const item = {
    key: keys++, name, file, id: null, kind: "picture", state: "waiting", part: 0, place: 0, left: null, error: "",
    notes: [], resultNotes: [], pages: 1, page: 0, settings: { ...latest, alternatives: 0, seed: 0 }, order: 0,
    wanted: null, result: null, alternative: 0, alternatives: 0, events: new Map(),
  };
  items.push(item);
  shelf.add(item);
  return item;
}

/** Takes files of the person's; the first one's item. */
export function add(files) {
  const added = [];
  for (const file of files) {
    const item = create(file.name || "Pasted picture", file);
    added.push(item);
    if (items.length > options.limits.inputs) refuse(item, `At most ${count(options.limits.inputs, "file")} at a time.`);
    else if (file.size > options.limits.bytes) refuse(item, `Larger than ${bytes(options.limits.bytes)}.`);
    else if (!file.size) refuse(item, "This file is empty.");
  }
  const refused = added.filter((item) => item.state === "refused");
  const taken = files.length - refused.length;
  if (taken) hooks.said(files.length === 1 ? `${added[0].name} was added.` : `${count(taken, "file")} added.`);
  refused.forEach(tell);
  sendNext();
  return added[0];
}

function refuse(item, why, state = "refused") {
  Object.assign(item, { state, error: why, left: null });
  hooks.changed(item);
}

/** The same for people who do not see it. */
function refuseAloud(item, why, state) {
  refuse(item, why, state);
  tell(item);
}

const underway = () => items.filter((item) => item.sending);

export async function sendNext() {
  const item = items.find((one) => one.state === "waiting");
  if (!item || underway().length >= SENDING) return;
  Object.assign(item, { state: "sending", sending: true, part: 0 });
  hooks.changed(item);
  sendNext();
  try {
    const got = await patiently(item, "sending", () => upload(item.file, (part) => {
      // All is there, and the server reads it.
      Object.assign(item, { part, state: part < 1 ? "sending" : "reading" });
      hooks.changed(item);
    }, (request) => { item.request = request; }));
    if (items.includes(item)) {
      Object.assign(item, got, { name: item.name, state: "queued", part: 0, file: null });
      arrived(item);
      colorize(item);
    } else drop(got.id);
  } catch (error) {
    trouble(item, error);
  } finally {
    Object.assign(item, { request: null, sending: false });
    if (!underway().length) early.splice(0).forEach(happened);
    sendNext();
  }
}

/** Does it, and does it again when a server that is busy says when. */
async function patiently(item, state, act) {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Refused) || error.wait === null || !items.includes(item)) throw error;
      item.state = "patient";
      hooks.changed(item);
      await new Promise((resolve) => setTimeout(resolve, error.wait * 1000));
      if (!items.includes(item)) throw error;
      item.state = state;
      hooks.changed(item);
    }
  }
}

function trouble(item, error) {
  if (!items.includes(item)) return;
  if (error instanceof Refused && error.status === 403) hooks.ended();
  else if (error instanceof Lost || [502, 504, 507].includes(error.status)) refuseAloud(item, error.message, "lost");
  else if (error instanceof Refused) refuseAloud(item, error.message, item.id && error.status === 404 ? "gone" : "refused");
  else throw error;
}

/** The server has it: it can be seen. */
function arrived(item) {
  shelf.picture(item, address.before(item.id, 256));
  hooks.changed(item);
  hooks.shown(item, false);
}

/** Once more, what a lost connection or a failure has ended. */
export function retry(item) {
  if (item.id) {
    Object.assign(item, { state: "queued", place: 0, error: "" });
    colorize(item);
  } else Object.assign(item, { state: "waiting", part: 0, error: "" });
  hooks.changed(item);
  sendNext();
}

/* ---- They are coloured. ---- */

/** Asks for it with the item's settings; how it goes, the events say. */
export async function colorize(item) {
  const order = ++item.order;
  try {
    const act = () => ask("POST", `inputs/${item.id}/colorize`, item.settings);
    const { result } = await patiently(item, "queued", act);
    // Settings that were changed meanwhile have their own answer.
    if (order !== item.order || !items.includes(item)) return;
    stop(item, result);
    item.wanted = result;
    const event = item.events.get(result);
    if (event) apply(item, event);
  } catch (error) {
    if (order === item.order) trouble(item, error);
  }
}

/** What was wanted before is not made any more, so that nobody waits for it. */
function stop(item, result) {
  const last = item.wanted;
  if (!last || last === result || ENDED.includes(item.events.get(last)?.state)) return;
  ask("DELETE", `results/${last}`).catch(() => {});
}

/** An event of the server's. */
export function happened(event) {
  const item = items.find((one) => one.id === event.input);
  if (!item) {
    // Perhaps of a file whose sending is being answered; else of an earlier or another page of this session.
    if (underway().length) early.push(event);
    else if (event.state !== "removed" && event.state !== "cancelled") adopt(event);
    return;
  }
  if (event.state === "removed") {
    refuseAloud(item, "Removed from the server.", "gone");
    return;
  }
  if (event.state === "uploaded" || !event.result) return;
  const known = item.events.has(event.result);
  item.events.set(event.result, event);
  // A page that was opened again shows what was asked for last.
  if (item.adopted && !known) {
    item.wanted = event.result;
    if (event.wanted) item.settings = { ...item.settings, ...event.wanted };
  }
  if (event.result === item.wanted) apply(item, event);
}

/** Shows a file that this page has not sent. */
function adopt(event) {
  const item = create(event.name);
  const { width, height, pages, seconds, kind } = event;
  Object.assign(item, { id: event.input, adopted: true, state: "queued", kind, width, height, pages, seconds });
  if (event.state === "uploaded") item.notes = event.notes ?? [];
  arrived(item);
  if (event.state === "uploaded") colorize(item);
  else happened(event);
}

function apply(item, event) {
  const before = item.state;
  const state = event.state === "cancelled" ? "stopped" : event.state;
  Object.assign(item, {
    state, place: event.place ?? 0, left: event.seconds_left ?? null, done: event.done, total: event.total,
    part: event.total ? Math.min(1, event.done / event.total) : 0, error: event.error ?? "",
  });
  if (event.pages) item.pages = event.pages;
  if (state === "done") {
    const first = !item.result;
    Object.assign(item, {
      result: event.result, resultNotes: event.notes ?? [], alternatives: event.alternatives ?? 0,
      kept: Boolean(event.kept), moved: false,
    });
    item.alternative = Math.min(item.alternative, item.alternatives);
    shelf.picture(item, address.after(item.result, 256, 0, 0));
    hooks.shown(item, first && before !== "done");
  }
  if (state !== before && (state === "done" || state === "failed")) tell(item);
  hooks.changed(item);
}

let batch = null;       // since when files are under way, and how many were done then

/** Seconds until all are done, by the pace of those that are; null while that says little, and with films. */
export function secondsLeft() {
  const busy = items.filter(shelf.isBusy);
  const done = items.filter((item) => item.state === "done").length;
  if (!busy.length) batch = null;
  else batch ??= { since: performance.now(), done };
  const made = batch ? done - batch.done : 0;
  if (made < 2 || busy.some((item) => item.kind === "film")) return null;
  return (performance.now() - batch.since) / 1000 / made * busy.length;
}

function tell(item) {
  const done = items.filter((one) => one.state === "done").length;
  const rest = items.length > 1 ? ` ${done} of ${items.length} files.` : "";
  hooks.said(item.state === "done" ? `${item.name} is done.${rest}` : `${item.name}: ${item.error}`);
}

/* ---- They go. ---- */

const drop = (id) => ask("DELETE", `inputs/${id}`).catch(() => {});

export function remove(item) {
  items.splice(items.indexOf(item), 1);
  item.request?.abort();
  shelf.remove(item);
  if (item.id) drop(item.id);
}

/** The page is left: files go soon, unless it is only loaded again. */
export function leave() {
  if (items.length) navigator.sendBeacon("api/end");
}

/** The session is over: what was sent is gone from the server. */
export function lose() {
  for (const item of items) refuse(item, "Removed from the server: the session has ended.", "gone");
}
