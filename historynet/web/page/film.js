/** The coloured film, played in the place of the picture. */

import { address } from "./server.js";

const video = document.getElementById("film");
const button = document.getElementById("play");

export const isPlaying = () => !video.hidden;

function show(playing) {
  video.hidden = !playing;
  button.setAttribute("aria-pressed", String(playing));
  button.textContent = playing ? "Stop" : "Play";
}

export function play(item) {
  show(true);
  video.src = address.download(item.result, 0);
  video.setAttribute("aria-label", `${item.name}, coloured`);
  video.play().catch(() => {});
  video.focus();
}

export function stop() {
  show(false);
  if (!video.hasAttribute("src")) return;
  video.pause();
  video.removeAttribute("src");
  video.load();
}

/** `pressed()` hears of the button, `failed()` of a film that this browser cannot play. */
export function start(pressed, failed) {
  button.addEventListener("click", pressed);
  video.addEventListener("error", () => { if (video.hasAttribute("src")) failed(); });
}
