// The tiles' live pictures. One request is under way at a time, going round over the tiles that are in sight: a browser
// has six connections, and START must never wait behind pictures.

import { age, draw, due, newest, pause } from "./picture.js";

/** Cameras make two pictures a second for this. */
const ROUND_MS = 500;
const OPENED = "syncslate-opened";

/** Keeps the pictures in this list of tiles alive. */
export function previews(list) {
  if (!list) return;
  const inSight = new Set();
  const places = new WeakMap();
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) inSight[isIntersecting ? "add" : "delete"](target);
  });

  function adopt(tile) {
    const { key, width, height } = tile.dataset;
    const [view, canvas] = [tile.querySelector(".view"), tile.querySelector("canvas")];
    // A tile that the script made has room for its picture too.
    if (width > 0) Object.assign(canvas, { width, height });
    places.set(tile, { ip: key, view, canvas, words: "" });
    view.addEventListener("click", () => sessionStorage.setItem(OPENED, key));
    sight.observe(tile);
  }

  async function refresh(tile) {
    const place = places.get(tile);
    const bitmap = await newest(place);
    if (bitmap) draw(place.canvas, bitmap);
    bitmap?.close();
    tell(tile);
  }

  function tell(tile) {
    const place = places.get(tile);
    age(place, place.view, place.view.querySelector(".view-words"));
  }

  async function go() {
    for (;;) {
      const began = performance.now();
      for (const tile of [...list.children]) {
        if (inSight.has(tile) && !document.hidden && due(places.get(tile))) await refresh(tile);
      }
      await pause(Math.max(100, ROUND_MS - (performance.now() - began)));
    }
  }

  new MutationObserver((changes) => {
    for (const { addedNodes, removedNodes } of changes) {
      for (const tile of removedNodes) if (!tile.isConnected) [inSight.delete(tile), sight.unobserve(tile)];
      for (const tile of addedNodes) if (!places.has(tile)) adopt(tile);
    }
  }).observe(list, { childList: true });
  [...list.children].forEach(adopt);
  setInterval(() => inSight.forEach(tell), 1000);

  // Back from a camera's own page: on with the tile it was opened from.
  const opened = sessionStorage.getItem(OPENED);
  sessionStorage.removeItem(OPENED);
  if (opened) list.querySelector(`[data-key="${CSS.escape(opened)}"] .view`)?.focus();
  go();
}
