/** The picture: original and colours one over the other, a divider between, zoom and pan. */

const LARGEST = 8;      // zoom
const STEP = 1.5;
const PAN = 60;         // pixels of the screen, an arrow key
const TRIES = 6;        // again, of a picture that does not come: after 1, 2, 4 ... seconds
const SIDES = [512, 1024, 2048];

const element = (id) => document.getElementById(id);
const stage = element("stage");
const divider = element("divider");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const columns = matchMedia("(min-width: 64rem)");

const view = { width: 0, height: 0, zoom: 1, x: 0, y: 0, split: 50 };
const shown = { before: "", after: "" };    // addresses of what is in the two layers
const wanted = { before: "", after: "" };
let gliding = 0;
let zoomed = () => {};

/** The picture's rectangle in the stage, and the part of it that is seen. */
function layout() {
  const { clientWidth, clientHeight } = stage;
  const fit = view.width ? Math.min(clientWidth / view.width, clientHeight / view.height) : 0;
  const width = view.width * fit * view.zoom;
  const height = view.height * fit * view.zoom;
  // Moved no further than to its edges.
  const spare = { x: Math.max(0, (width - clientWidth) / 2), y: Math.max(0, (height - clientHeight) / 2) };
  view.x = Math.max(-spare.x, Math.min(spare.x, view.x));
  view.y = Math.max(-spare.y, Math.min(spare.y, view.y));
  const x = (clientWidth - width) / 2 + view.x;
  const y = (clientHeight - height) / 2 + view.y;
  return {
    x, y, width, height, left: Math.max(0, x), right: Math.min(clientWidth, x + width), top: Math.max(0, y),
    bottom: Math.min(clientHeight, y + height),
  };
}

function draw() {
  const at = layout();
  const split = at.left + (at.right - at.left) * view.split / 100;
  for (const [name, value] of Object.entries({ ...at, split })) stage.style.setProperty(`--${name}`, `${value}px`);
  stage.classList.toggle("zoomed", view.zoom > 1);
  element("tag-before").classList.toggle("away", split - at.left < element("tag-before").offsetWidth + 40);
  element("tag-after").classList.toggle("away", at.right - split < element("tag-after").offsetWidth + 40);
  const percent = Math.round(view.split);
  divider.setAttribute("aria-valuenow", percent);
  divider.setAttribute("aria-valuetext", percent === 0 ? "all coloured" : percent === 100 ? "all original"
    : `${percent} percent original`);
  element("scale").textContent = `${Math.round(view.zoom * 10) / 10}\u00d7`;
  element("smaller").disabled = view.zoom <= 1;
  element("fit").disabled = view.zoom <= 1;
  element("larger").disabled = view.zoom >= LARGEST || !view.width;
}

/** The side of the preview that the screen can show. */
export function side() {
  const at = layout();
  const pixels = Math.max(at.width, at.height) * devicePixelRatio;
  return SIDES.find((one) => one >= pixels) ?? SIDES.at(-1);
}

/** Puts a picture into a layer once it is loaded whole; an older one that is late is left out. */
export async function put(layer, address, alt) {
  if (wanted[layer] === address) return;
  wanted[layer] = address;
  await load(layer, address, alt, 0);
}

async function load(layer, address, alt, missed) {
  const picture = new Image();
  picture.alt = alt;
  picture.draggable = false;
  picture.src = address;
  try {
    await picture.decode();
  } catch {
    if (wanted[layer] !== address) return;
    if (missed < TRIES) {
      // Perhaps the server is busy.
      setTimeout(() => { if (wanted[layer] === address) load(layer, address, alt, missed + 1); }, 1000 * 2 ** missed);
      return;
    }
    wanted[layer] = "";
    update();
    return;
  }
  if (wanted[layer] !== address) return;
  shown[layer] = address;
  element(layer).replaceChildren(picture);
  // Of a document the largest page's size is known, and this may be another.
  const stretched = view.width * picture.naturalHeight / (view.height * picture.naturalWidth);
  if (!view.width || Math.abs(stretched - 1) > 0.05) {
    view.width = picture.naturalWidth;
    view.height = picture.naturalHeight;
  }
  update();
}

/** What is to be seen: the divider needs both. */
function update() {
  const both = Boolean(shown.before && shown.after);
  const state = both ? "both" : shown.before || shown.after ? "single" : wanted.before ? "loading" : "empty";
  const appeared = both && stage.dataset.state === "single" && shown.glide;
  stage.dataset.state = state;
  stage.classList.toggle("single", !both);
  divider.hidden = !both;
  draw();
  if (appeared) glide(100, 50);
  shown.glide = false;
}

/** The colours come from the right. */
function glide(from, to) {
  cancelAnimationFrame(gliding);
  const begin = performance.now();
  function step(now) {
    const part = calm.matches ? 1 : Math.min(1, (now - begin) / 900);
    view.split = from + (to - from) * (1 - (1 - part) ** 3);
    draw();
    if (part < 1) gliding = requestAnimationFrame(step);
  }
  step(begin);
}

/** Another picture: nothing of the last one stays. */
export function begin(width, height) {
  cancelAnimationFrame(gliding);
  Object.assign(view, { width: width || 0, height: height || 0, zoom: 1, x: 0, y: 0, split: 50 });
  for (const layer of ["before", "after"]) {
    shown[layer] = wanted[layer] = "";
    element(layer).replaceChildren();
  }
  shown.glide = false;
  update();
}

/** The next result to be shown comes with the divider's movement. */
export function reveal() {
  shown.glide = true;
}

function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const before = view.zoom;
  view.zoom = Math.max(1, Math.min(LARGEST, before * factor));
  if (view.zoom < 1.01) view.zoom = 1;
  // The point under the pointer stays where it is.
  const ratio = view.zoom / before;
  view.x = (x - stage.clientWidth / 2) * (1 - ratio) + view.x * ratio;
  view.y = (y - stage.clientHeight / 2) * (1 - ratio) + view.y * ratio;
  draw();
  zoomed();
}

function split(value) {
  cancelAnimationFrame(gliding);
  view.split = Math.max(0, Math.min(100, value));
  draw();
}

function splitAt(x) {
  const at = layout();
  split((x - at.left) / (at.right - at.left || 1) * 100);
}

function move(x, y) {
  view.x += x;
  view.y += y;
  draw();
}

/* Pointers: one moves the divider, or the picture where it is zoomed; two zoom. */
const pointers = new Map();
let onDivider = false;

const place = (event) => {
  const { left, top } = stage.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
};

function press(event) {
  if (event.button || event.target.closest("button, video, #trouble")) return;
  if (stage.dataset.state === "empty" || stage.dataset.state === "loading") return;
  pointers.set(event.pointerId, place(event));
  stage.setPointerCapture(event.pointerId);
  if (pointers.size === 1) onDivider = !divider.hidden && (view.zoom === 1 || event.target === divider);
  if (onDivider && event.pointerType === "mouse") splitAt(place(event).x);
  stage.classList.toggle("moving", view.zoom > 1 && !onDivider);
}

function drag(event) {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const now = place(event);
  pointers.set(event.pointerId, now);
  if (pointers.size === 2) {
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
    const length = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    zoom(length(now) / (length(last) || 1), (now.x + other.x) / 2, (now.y + other.y) / 2);
    move((now.x - last.x) / 2, (now.y - last.y) / 2);
  } else if (onDivider) splitAt(now.x);
  else if (view.zoom > 1) move(now.x - last.x, now.y - last.y);
}

function release(event) {
  pointers.delete(event.pointerId);
  if (!pointers.size) {
    onDivider = false;
    stage.classList.remove("moving");
  }
}

function onDividerKey(event) {
  const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 };
  if (event.key in steps) split(view.split + steps[event.key]);
  else if (event.key === "Home") split(0);
  else if (event.key === "End") split(100);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function onStageKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button, video")) return;
  const ways = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] };
  if (event.key === "+" || event.key === "=") zoom(STEP);
  else if (event.key === "-") zoom(1 / STEP);
  else if (event.key === "0") zoom(0);
  else if (event.key in ways && view.zoom > 1) move(...ways[event.key]);
  else return;
  event.preventDefault();
}

/** Starts it; `onZoomed` hears when a larger preview may help. */
export function start(onZoomed) {
  zoomed = onZoomed;
  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointermove", drag);
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, release);
  stage.addEventListener("dblclick", (event) => {
    if (!event.target.closest("button, video")) zoom(view.zoom > 1 ? 0 : 3, place(event).x, place(event).y);
  });
  // Where the page itself scrolls, the wheel is the page's.
  stage.addEventListener("wheel", (event) => {
    if (!(event.ctrlKey || columns.matches) || stage.dataset.state === "empty") return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), place(event).x, place(event).y);
  }, { passive: false });
  divider.addEventListener("keydown", onDividerKey);
  stage.addEventListener("keydown", onStageKey);
  element("larger").addEventListener("click", () => zoom(STEP));
  element("smaller").addEventListener("click", () => zoom(1 / STEP));
  element("fit").addEventListener("click", () => zoom(0));
  new ResizeObserver(draw).observe(stage);
}
