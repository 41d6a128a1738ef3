// The page about cameras: a form for those that are chosen, and the table of what they have. Only what somebody touched
// is sent, so that cameras that differ in the rest go on differing.

import { fill } from "./bind.js";
import { confirmed } from "./confirm.js";
import { follow } from "./live.js";
import { post } from "./post.js";
import { texts } from "./texts.js";

const words = texts.cameras;
const at = (id) => document.getElementById(id);
const fields = [...document.querySelectorAll(".setting[data-key]")];
const rows = () => [...at("rows").children];
const chosen = () => rows().filter((row) => row.querySelector("[name=node]").checked);
const name = (row) => row.querySelector("[data-text=name]").textContent;
const keys = (field) => (field.dataset.key === "width" ? ["width", "height"] : [field.dataset.key]);
const has = (row, field) => row.dataset.has.split(" ").includes(field.dataset.key);

/** What a field of the form has to say of the chosen cameras, and what stands in it until it is touched. */
function refresh() {
  const cameras = chosen();
  at("chosen").textContent = cameras.length ? words.chosen(cameras.map(name)) : words.none;
  for (const field of fields) {
    const with_ = cameras.filter((row) => has(row, field));
    const lacking = cameras.filter((row) => !has(row, field));
    field.hidden = with_.length === 0;
    const values = [...new Set(with_.map((row) => keys(field).map((key) => row.dataset[`v_${key}`]).join(" × ")))];
    const shown = values.map((value) => (value === "auto" ? words.automatic : value.replace(/^( × )?$/, words.unknown)));
    const now = shown.length > 1 ? words.differ(shown) : words.now(shown[0] ?? "");
    field.querySelector(".now").textContent = [now, ...(lacking.length ? [words.lacking(lacking.map(name))] : [])].join(". ");
    if (!("touched" in field.dataset)) show(field, values);
  }
}

function show(field, values) {
  const one = values.length === 1 ? values[0] : null;
  const parts = (one ?? "").split(field.dataset.key === "awb" ? "/" : " × ");
  const number = /^\d/.test(one ?? "");
  const select = field.querySelector("select");
  if (select) select.value = "";
  field.querySelectorAll("input").forEach((input, n) => {
    input.value = number ? (parts[n] ?? "") : "";
    input.placeholder = one === null && values.length ? words.differs : "";
    if (select) input.disabled = true;
  });
}

function touch(field) {
  field.dataset.touched = "";
  const select = field.querySelector("select");
  if (!select) return;
  for (const input of field.querySelectorAll("input")) input.disabled = select.value !== "fixed";
  if (select.value === "") {
    delete field.dataset.touched;
    refresh();
  }
}

/** The number in a field; throws a sentence where there is none. */
function number(input) {
  const value = Number(input.value.trim().replace(",", "."));
  if (input.value.trim() !== "" && Number.isFinite(value)) return value;
  input.focus();
  throw new Error(words.number(input.getAttribute("aria-label")));
}

/** What is to be set. */
function wishes() {
  const settings = {};
  for (const field of fields.filter((field) => "touched" in field.dataset && !field.hidden)) {
    const key = field.dataset.key;
    const how = field.querySelector("select")?.value;
    const inputs = [...field.querySelectorAll("input")];
    if (how === "auto") settings[key] = null;
    else if (how && how !== "fixed") settings[key] = how;
    else if (key === "awb") settings.awb = { red: number(inputs[0]), blue: number(inputs[1]) };
    else if (key === "bitrate") settings.bitrate = Math.round(number(inputs[0]) * 1e6);
    else keys(field).forEach((key, n) => (settings[key] = number(inputs[n])));
  }
  return settings;
}

function teller(element) {
  return (text, failed = false) => {
    element.textContent = text;
    element.dataset.failed = failed;
  };
}
const say = teller(at("answer"));

/** Sends a wish; tells what was set where, and what was not. */
async function send(wish, button, tell = say) {
  if (button.hasAttribute("aria-busy")) return false;
  button.setAttribute("aria-busy", "true");
  const result = await post("camera", wish, tell);
  button.removeAttribute("aria-busy");
  if (result) tell([...(result.done ?? []), ...(result.warnings ?? [])].join("\n") || words.set);
  return Boolean(result);
}

function untouch() {
  for (const field of fields) delete field.dataset.touched;
  refresh();
}

for (const field of fields) {
  field.addEventListener("input", () => touch(field));
  field.addEventListener("change", () => touch(field));
}
at("settings").addEventListener("submit", async (event) => {
  event.preventDefault();
  const nodes = chosen().map((row) => row.dataset.key);
  if (!nodes.length) return say(words.choose, true);
  try {
    const settings = wishes();
    if (!Object.keys(settings).length) return say(words.nothing, true);
    if (await send({ nodes, settings }, at("set"))) untouch();
  } catch (error) {
    say(error.message, true);
  }
});
const forgetting = confirmed(at("forget"), words.forgetAgain);
at("forget").addEventListener("click", async () => {
  const nodes = chosen().map((row) => row.dataset.key);
  if (!nodes.length) return say(words.choose, true);
  if (!forgetting.press()) return;
  const settings = Object.fromEntries(fields.flatMap(keys).map((key) => [key, null]));
  if (await send({ nodes, settings }, at("forget"))) untouch();
});
at("segments").addEventListener("submit", (event) => {
  event.preventDefault();
  const tell = teller(at("segments-answer"));
  try {
    send({ segment_s: number(at("segment_s")) }, event.submitter ?? at("segment_s"), tell);
  } catch (error) {
    tell(error.message, true);
  }
});
const matching = new WeakMap();
at("rows").addEventListener("click", (event) => {
  const button = event.target.closest("[data-match]");
  if (!button) return;
  if (!matching.has(button)) matching.set(button, confirmed(button, words.matchAgain));
  if (matching.get(button).press()) send({ match: button.closest("tr").dataset.key }, button);
});
at("rows").addEventListener("change", refresh);

let view = {};
function onView(changed) {
  if (changed.assets && changed.assets !== document.body.dataset.assets) return location.reload();
  view = { ...view, ...changed };
  fill(document.body, changed);
  const locked = Boolean(view.locked);
  at("locked").hidden = !locked;
  at("fields").disabled = locked;
  for (const button of document.querySelectorAll("#segments button, #segments input")) button.disabled = locked;
  for (const row of rows()) row.querySelector("[data-match]").disabled = locked || row.dataset.can_match !== "yes";
  if ("segment_s" in changed && document.activeElement !== at("segment_s")) at("segment_s").value = changed.segment_s;
  at("settings").classList.toggle("nobody", rows().length === 0);
  refresh();
}

let linked = null;
follow(
  "/cameras/live",
  onView,
  (up) => {
    if (up === linked) return;
    linked = up;
    document.body.classList.toggle("stale", !up);
    at("lost").hidden = up;
    at("lost").textContent = up ? "" : texts.lost;
  },
);
at("locked").hidden = at("locked").textContent === "";
at("settings").classList.toggle("nobody", rows().length === 0);
refresh();
