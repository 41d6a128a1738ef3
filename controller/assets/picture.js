// Live pictures: one is asked for, and drawn. Asking is what keeps a camera sending them.

import { texts } from "./texts.js";

const LIMIT_MS = 4000;
/** A picture that is older is shown as one of the past. */
const FRESH_MS = 3000;

/** Asks for the picture of `place` ({ip, native, tag}) and notes there what is known of it now; gives a new one. */
export async function newest(place) {
  try {
    const headers = place.tag ? { "If-None-Match": place.tag } : {};
    const query = place.native ? "?width=native" : "";
    const signal = AbortSignal.timeout(LIMIT_MS);
    const response = await fetch(`/nodes/${place.ip}/preview.jpg${query}`, { headers, signal, cache: "no-store" });
    if (response.status === 200 || response.status === 304) {
      place.at = performance.now() - Number(response.headers.get("Picture-Age-Ms"));
      place.words = "";
      place.tag = response.headers.get("ETag");
      return response.status === 200 ? await createImageBitmap(await response.blob()) : null;
    }
    place.wait = performance.now() + 1000 * Number(response.headers.get("Retry-After") || 1);
    forget(place, sentence((await response.json()).error.message));
  } catch {
    place.wait = performance.now() + 1000;
    // What was seen last stays, and grows old.
    if (place.at === undefined) forget(place, texts.noPicture);
  }
  return null;
}

function forget(place, words) {
  place.words = words;
  place.at = place.tag = undefined;
}

/** Whether it is worth asking again. */
export function due(place) {
  return !(performance.now() < place.wait);
}

/** Says over the picture why there is none, or how old it is. */
export function age(place, view, words) {
  const old = place.at === undefined ? 0 : performance.now() - place.at;
  const stale = old > FRESH_MS;
  view.toggleAttribute("data-stale", stale);
  view.toggleAttribute("data-none", place.at === undefined);
  const text = stale ? texts.secondsOld(Math.round(old / 1000)) : (place.words ?? "");
  if (words.textContent !== text) words.textContent = text;
}

/** Draws a picture at its own size; the page scales it. */
export function draw(canvas, bitmap) {
  if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
  if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

/** Waits, and then until the page is in sight. */
export async function pause(ms) {
  await new Promise((done) => setTimeout(done, ms));
  if (!document.hidden) return;
  await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
