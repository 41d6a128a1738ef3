// The slate: the take's name, a large clock, and the code that cameras read the time from, drawn at each refresh.
//
// The code runs by this device's own steady clock, set once by the shared one: a clock that is corrected while cameras
// look would tell each of them something else. A new setting is a new session, so nobody compares across it.

import { awake } from "./awake.js";
import { now, takeTime } from "./clock.js";
import { follow } from "./live.js";
import { card, drawCard, drawField, turns } from "./slatecode.js";
import { texts } from "./texts.js";

/** Faster displays change at every second refresh: an exposure of 1/30 s must leave a field that stays. */
const SHORTEST_MS = 12;
/** The shared clock is this far from ours: one of them was set, or the machine slept. */
const ASTRAY_MS = 100;

const at = (id) => document.getElementById(id);
const [code, frame, clock, time, take, state, hint] =
  ["code", "frame", "clock", "time", "take", "state", "awake"].map(at);
const context = code.getContext("2d", { alpha: false });
const view = {};
let px = 0;
let base = null;
let session = 0;
let turn = 0;
let drawn = -Infinity;
let driven = false;
/** What each field shows, to draw it again when the card changes its size. */
let shown = [];

function fit() {
  const ratio = devicePixelRatio || 1;
  px = Math.max(1, Math.floor((Math.min(frame.clientWidth, frame.clientHeight) * ratio) / card));
  code.width = code.height = px * card;
  code.style.width = code.style.height = `${(px * card) / ratio}px`;
  drawCard(context, px);
  shown.forEach((ms, field) => drawField(context, px, field, ms, session));
}

/** One refresh of the display, at `ms` milliseconds since 1970: the field whose turn it is says so. */
function refresh(ms) {
  turn = (turn + 1) % turns;
  shown[turn] = ms;
  drawField(context, px, turn, ms, session);
  words(ms);
}

function words(ms) {
  const date = new Date(ms);
  const two = (n, length = 2) => String(n).padStart(length, "0");
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((n) => two(n)).join("-");
  const hour = [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => two(n)).join(":");
  clock.textContent = view.t0_us ? takeTime(ms * 1000 - view.t0_us) : hour;
  time.textContent = `${day} ${hour}.${two(date.getMilliseconds(), 3)}`;
}

/** Sets our clock by the shared one, when it is not set or astray; says whether it is set. */
function set() {
  const us = now();
  if (us === null) return base !== null;
  const found = us / 1000 - performance.now();
  if (base === null || Math.abs(found - base) > ASTRAY_MS) {
    base = found;
    session = crypto.getRandomValues(new Uint8Array(1))[0];
    shown = [];
    drawCard(context, px);
  }
  return true;
}

function tick(stamp) {
  if (driven) return;
  requestAnimationFrame(tick);
  if (stamp - drawn < SHORTEST_MS || !set()) return;
  drawn = stamp;
  refresh(Math.round(base + stamp));
}

function show(fields) {
  if (fields.assets && fields.assets !== document.body.dataset.assets) location.reload();
  Object.assign(view, fields);
  if ("caption" in fields) take.textContent = fields.caption;
  document.body.dataset.kind = view.kind;
  say();
}

let linked = true;
function say() {
  const rolling = Boolean(view.t0_us);
  const text = linked ? (rolling ? texts.slate.hold : texts.slate.idle) : texts.slate.lost;
  if (state.textContent !== text) state.textContent = text;
}

new ResizeObserver(fit).observe(frame);
fit();
awake(true, hint);
at("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {});
});
// A program may take the place of the display's refreshes: each such event is one, at the instant that it names.
addEventListener("syncslate-refresh", ({ detail }) => {
  driven = true;
  refresh(detail.ms);
});
requestAnimationFrame(tick);
follow("/live", show, (up) => {
  linked = up;
  say();
});
