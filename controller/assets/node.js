// A camera's own page: the large picture with its aids, and orders to its computer.

import { confirmed } from "./confirm.js";
import { clipping, histogram, luma, sharpness } from "./light.js";
import { age, draw, due, newest, pause } from "./picture.js";
import { post } from "./post.js";
import { texts } from "./texts.js";

const ROUND_MS = 500;
/** The camera computer gets 15 s for its answer. */
const ORDER_MS = 20000;
/** Brighter than this is striped by the zebra. */
const ZEBRA_FROM = 250;
const STRIPE = 6;

const at = (id) => document.getElementById(id);
const [root, stage, picture, zebra, graph] = ["node", "stage", "picture", "zebra", "histogram"].map(at);
const place = { ip: root.dataset.ip, native: true };
let shown = null;
let peak = 0;

async function go() {
  for (;;) {
    const began = performance.now();
    const bitmap = due(place) ? await newest(place) : null;
    if (bitmap) {
      shown?.close();
      shown = bitmap;
      show();
      measure();
    }
    if (place.at === undefined) forget();
    age(place, stage, at("words"));
    await pause(Math.max(100, ROUND_MS - (performance.now() - began)));
  }
}

function aid(name) {
  return document.querySelector(`[data-aid=${name}]`).getAttribute("aria-pressed") === "true";
}

/** The whole picture, or of its middle as many pixels as the screen has room for. */
function show() {
  if (!shown) return;
  if (!aid("crop")) return draw(picture, shown);
  const room = stage.getBoundingClientRect();
  const [width, height] = [room.width, room.height].map((side) => Math.round(side * devicePixelRatio));
  Object.assign(picture, { width, height });
  picture.getContext("2d").drawImage(shown, (width - shown.width) / 2, (height - shown.height) / 2);
}

function measure() {
  const { width, height } = shown;
  const whole = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  whole.drawImage(shown, 0, 0);
  const bright = luma(whole.getImageData(0, 0, width, height).data);
  expose(histogram(bright));
  stripe(bright, width, height);
  const [w, h] = [width >> 1, height >> 1];
  const middle = luma(whole.getImageData(width >> 2, height >> 2, w, h).data);
  focus(sharpness(middle, w, h));
}

function focus(sharp) {
  peak = Math.max(peak, sharp);
  at("sharp").value = sharp.toFixed(0);
  at("peak").value = peak.toFixed(0);
  at("sharp-meter").value = peak ? sharp / peak : 0;
}

function expose(bins) {
  const { dark, bright } = clipping(bins);
  at("clipping").textContent = texts.clipping(dark, bright);
  at("clipping").dataset.much = Math.max(dark, bright) > 0.02;
  const context = graph.getContext("2d");
  const { width, height } = graph;
  // Square roots: also what few pixels have is to be seen.
  const most = Math.sqrt(Math.max(...bins)) || 1;
  const style = getComputedStyle(graph);
  context.clearRect(0, 0, width, height);
  bins.forEach((bin, x) => {
    const tall = (height * Math.sqrt(bin)) / most;
    context.fillStyle = x < 2 || x > 253 ? style.getPropertyValue("--bad") : style.color;
    context.fillRect(x, height - tall, 1, tall);
  });
}

function stripe(bright, width, height) {
  if (!aid("zebra")) return;
  Object.assign(zebra, { width, height });
  const context = zebra.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      if (bright[i] >= ZEBRA_FROM) pixels[i] = (x + y) % (2 * STRIPE) < STRIPE ? 0xff0000ff : 0xffffffff;
    }
  }
  context.putImageData(image, 0, 0);
}

function forget() {
  shown?.close();
  shown = null;
  for (const id of ["sharp", "peak"]) at(id).value = "–";
  at("clipping").textContent = "–";
  at("sharp-meter").value = peak = 0;
  for (const canvas of [picture, graph, zebra]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

for (const button of document.querySelectorAll("[data-aid]")) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    stage.toggleAttribute(`data-${button.dataset.aid}`, on);
    show();
    if (shown) measure();
  });
}
at("reset").addEventListener("click", () => {
  peak = 0;
  if (shown) measure();
});

function say(text, failed = false) {
  at("ordered").textContent = text;
  at("ordered").dataset.failed = failed;
}

async function order(word, address, body, button) {
  if (button.hasAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  say(texts.ordering);
  if (await post(address, body, say, ORDER_MS)) say(texts.done[word]());
  button.removeAttribute("aria-busy");
}

at("identify").addEventListener("click", () => order("identify", `nodes/${place.ip}/identify`, {}, at("identify")));
const asking = ["reboot", "shutdown"].map((word) => {
  const button = at(word);
  const twice = confirmed(button, texts[`${word}Again`]);
  button.addEventListener("click", () => twice.press() && order(word, word, { nodes: [place.ip] }, button));
  return twice;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  // First it takes back what waits for a second press.
  if (asking.map((twice) => twice.cancel()).includes(true)) return say(texts.cancelled);
  sessionStorage.setItem("syncslate-opened", place.ip);
  location.assign("/");
});
at("back").addEventListener("click", () => sessionStorage.setItem("syncslate-opened", place.ip));
go();
