/** Numbers and times as people read them. */

const counts = new Intl.NumberFormat("en");

export const count = (number, one, many = `${one}s`) => `${counts.format(number)} ${number === 1 ? one : many}`;

export const number = (value) => counts.format(value);

/** Seconds that are left, roughly: an exact figure would promise too much. */
export function left(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 2) return "nearly done";
  if (seconds < 55) return `about ${seconds < 10 ? Math.ceil(seconds) : Math.ceil(seconds / 5) * 5} s left`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60) || 1} min left`;
  return `about ${Math.round(seconds / 3600)} h left`;
}

/** A duration as players show it. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function bytes(size) {
  for (const [unit, factor] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (size >= factor) return `${number(Math.round(size / factor * 10) / 10)} ${unit}`;
  }
  return count(size, "byte");
}

export function ordinal(place) {
  const last = place % 100 > 10 && place % 100 < 14 ? 0 : place % 10;
  return `${number(place)}${["th", "st", "nd", "rd"][last] ?? "th"}`;
}

/** A line of the library's, as a sentence. */
export function sentenceOf(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
