// The open page: what changes at the controller changes here; the clock runs in between.

import { ownSettings } from "./about.js";
import { fill } from "./bind.js";
import { now, takeTime } from "./clock.js";
import { controls } from "./controls.js";
import { eventList } from "./events.js";
import { follow } from "./live.js";
import { previews } from "./previews.js";
import { markLists } from "./marks.js";
import { texts } from "./texts.js";
import { verifying } from "./verify.js";

const view = {};
const clock = document.getElementById("clock");
const lost = document.getElementById("lost");
const own = document.getElementById("node")?.dataset.ip;
const onView = controls(view);
const onEvents = eventList();

function show(fields) {
  if (fields.assets && fields.assets !== document.body.dataset.assets) {
    // Another version of the controller speaks another page's words.
    location.reload();
    return;
  }
  Object.assign(view, fields);
  if (view.order) fields.nodes = view.order.map((key) => view[`node ${key}`]).filter(Boolean);
  // Lists of the pages about takes are as they were when the page was opened.
  if (own || document.getElementById("operate")) fill(document.body, fields);
  onView(fields);
  onEvents(fields);
  tick();
}

function tick() {
  if (!clock) return;
  const time = now();
  let text = view.length;
  if (view.t0_us) text = time === null ? undefined : takeTime(time - view.t0_us);
  if (text !== undefined && clock.textContent !== text) clock.textContent = text;
}

let linked = null;
function link(up) {
  if (up === linked) return;
  linked = up;
  document.body.classList.toggle("stale", !up);
  lost.hidden = up;
  lost.textContent = up ? "" : texts.lost;
}

markLists();
ownSettings();
verifying();
setInterval(tick, 100);
previews(document.querySelector("[data-list=nodes]"));
follow(own ? `/live/${own}` : "/live", show, link);
