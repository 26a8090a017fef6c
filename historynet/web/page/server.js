/** What the page asks the server. Addresses are relative: the page may lie below a folder of a proxy's. */

/** The server answered that it will not. */
export class Refused extends Error {
  constructor(message, status, wait) {
    super(message);
    this.status = status;
    /** Seconds after which it may be tried again, or null. */
    this.wait = wait;
  }
}

/** The server did not answer. */
export class Lost extends Error {
  constructor() {
    super("The connection to the server was lost.");
  }
}

const WORDS = {
  403: "This session has ended.",
  413: "This file is too large.",
  415: "This is not a picture or film that can be read.",
  429: "There are too many files in this session.",
  502: "The server cannot be reached.",
  503: "The server is busy.",
  504: "The server does not answer.",
  507: "The server's disk is full.",
};

function refusal(status, text, retryAfter) {
  let message = "";
  try {
    message = JSON.parse(text).error;
  } catch {
    // A proxy's own page, which is not for people.
  }
  if (typeof message !== "string" || !message) message = WORDS[status] ?? `The server answered ${status}.`;
  const wait = parseFloat(retryAfter);
  return new Refused(message, status, wait >= 0 ? Math.min(wait, 120) : status === 503 ? 10 : null);
}

/** One request; what it gave, of JSON, or null. */
export async function ask(method, path, content) {
  let answer, text;
  try {
    answer = await fetch(`api/${path}`, {
      method,
      headers: content === undefined ? {} : { "Content-Type": "application/json" },
      body: content === undefined ? undefined : JSON.stringify(content),
    });
    text = await answer.text();
  } catch {
    throw new Lost();
  }
  if (!answer.ok) throw refusal(answer.status, text, answer.headers.get("Retry-After"));
  return text ? JSON.parse(text) : null;
}

/** Sends a file; XMLHttpRequest, since fetch does not say how far it is. */
export function upload(file, progressed, started) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `api/inputs?name=${encodeURIComponent(file.name || "pasted picture.png")}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && progressed(event.loaded / event.total);
    request.onerror = request.ontimeout = request.onabort = () => reject(new Lost());
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    started(request);
    request.send(file);
  });
}

/** The stream of events, for as long as the page is there; `changed` gets "open", "lost" or "ended". */
export function listen(happened, changed) {
  let wait = 1;
  function open() {
    const source = new EventSource("api/events");
    source.onopen = () => {
      wait = 1;
      changed("open");
    };
    source.onmessage = (event) => happened(JSON.parse(event.data));
    source.onerror = async () => {
      // The browser tries again by itself only if there was no answer at all.
      source.close();
      try {
        await ask("GET", "options");
      } catch (error) {
        if (error instanceof Refused && error.status === 403) {
          changed("ended");
          return;
        }
        changed("lost");
      }
      setTimeout(open, wait * 1000);
      wait = Math.min(wait * 2, 15);
    };
  }
  open();
}

export const address = {
  before: (input, side, page = 0) => `api/inputs/${input}/before?side=${side}&page=${page}`,
  after: (result, side, page, alternative) =>
    `api/results/${result}/after?side=${side}&page=${page}&alternative=${alternative}`,
  preview: (result, side, page, settings) =>
    `api/results/${result}/preview?side=${side}&page=${page}&strength=${settings.strength}`
    + (settings.temperature === null ? "" : `&temperature=${settings.temperature}`),
  download: (result, alternative) => `api/results/${result}/download?alternative=${alternative}`,
  zip: (results) => `api/zip?results=${results.join(",")}`,
};
