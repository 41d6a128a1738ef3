// The connection to the controller: a stream of server-sent events, read by hand so that silence is noticed.

import { forget, heard, parse } from "./clock.js";

/** The controller beats every second; this long without a byte is a loss. */
const SILENCE_MS = 2200;
const RETRY_MS = 700;

/** Follows the controller at `address` for ever. `onView` gets changed fields, `onLink` whether the connection stands. */
export async function follow(onView, onLink, address = "/live") {
  for (;;) {
    try {
      await listen(address, onView, () => onLink(true));
    } catch {
      // Whatever it was, the answer is the same: say so and try again.
    }
    onLink(false);
    forget();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function listen(address, onView, onUp) {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), SILENCE_MS);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), SILENCE_MS);
  };
  try {
    const response = await fetch(address, { signal: stop.signal, cache: "no-store" });
    // The login has ended: the page in its place asks for a new one.
    if (response.status === 401) location.reload();
    if (!response.ok) throw new Error(`status ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const { name, data } of events.map(read)) {
        if (name === "beat") heard(parse(data.at));
        if (name === "view") {
          onUp();
          onView(data);
        }
      }
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

function read(text) {
  let name = "";
  let data = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data += line.slice(5);
  }
  return { name, data: data ? JSON.parse(data) : null };
}
