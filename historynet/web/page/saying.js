/** The line that people hear who do not see the page. */

let texts = [];
let silence = 0;

/** What is said at the same time is said together. */
export default function say(text) {
  texts.push(text);
  document.getElementById("announcer").textContent = texts.join(" ");
  clearTimeout(silence);
  silence = setTimeout(() => { texts = []; }, 500);
}
