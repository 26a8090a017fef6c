/** The form of settings: one picture's at a time. */

const element = (id) => document.getElementById(id);
const form = element("settings");
const SLIDERS = ["strength", "temperature"];

let options = null;
let current = null;     // the settings that are shown
let film = false;

/** Fills the form with what the server has; then `changed("moving" | "settled" | "other")` hears of each change. */
export function start(given, changed) {
  options = given;
  fill(element("model"), options.models);
  fill(element("format"), options.formats);
  Object.assign(element("strength"), { min: options.strength.min, max: options.strength.max });
  for (const name of SLIDERS) {
    element(name).addEventListener("input", () => {
      current[name] = Number(element(name).value);
      figures();
      changed("moving");
    });
    element(name).addEventListener("change", () => changed("settled"));
  }
  for (const [id, name, property] of [["model", "model", "value"], ["format", "format", "value"],
    ["keep-colored", "keep_colored", "checked"], ["borders", "borders", "checked"]]) {
    element(id).addEventListener("change", () => {
      current[name] = element(id)[property];
      if (name === "model") Object.assign(current, ofModel(current.model));
      show(current, film);
      changed("other");
    });
  }
  element("defaults").addEventListener("click", () => {
    Object.assign(current, defaults());
    show(current, film);
    changed("other");
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}

function fill(select, choices) {
  select.replaceChildren(...choices.map(({ id, title }) => new Option(title.charAt(0).toUpperCase() + title.slice(1), id)));
}

export const model = (id) => options.models.find((one) => one.id === id);

/** What hangs on the model. */
function ofModel(id) {
  return { temperature: model(id).temperature?.default ?? null, alternatives: 0, seed: 0 };
}

export function defaults() {
  return {
    model: options.model,
    strength: options.strength.default,
    keep_colored: false,
    borders: true,
    format: options.format ?? options.formats[0].id,
    ...ofModel(options.model),
  };
}

function figures() {
  element("strength-value").textContent = current.strength.toFixed(2);
  if (current.temperature !== null) element("temperature-value").textContent = current.temperature.toFixed(2);
}

/** Shows a picture's settings; what a film does not have is off. */
export function show(settings, isFilm) {
  current = settings;
  film = isFilm;
  const { temperature, alternatives } = model(current.model);
  element("model").value = current.model;
  element("format").value = current.format;
  element("keep-colored").checked = current.keep_colored;
  element("borders").checked = current.borders;
  element("strength").value = current.strength;
  element("temperature-field").hidden = !temperature;
  if (temperature) Object.assign(element("temperature"), { min: temperature.min, max: temperature.max });
  if (temperature) element("temperature").value = current.temperature;
  element("more-field").hidden = !alternatives || film;
  element("more").textContent = current.alternatives ? "Draw other colours" : "Other colours to choose among";
  for (const id of ["keep-colored", "borders", "format"]) {
    element(id).disabled = film;
    element(id).closest("p").classList.toggle("off", film);
  }
  element("redo-field").hidden = !film;
  figures();
}
