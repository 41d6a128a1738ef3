// All cameras of a take in one view. One time, counted in frames of the take's rate since T0, rules all films: each film
// begins at T0, so what is shown together was taken within a frame.

import { EVERY_MS, exported } from "./editor.js";
import { post } from "./post.js";

const words = {
  none: "No films are here yet: make them on the take’s page.",
  broken: (name) => `${name} cannot be played here; a light film may.`,
  making: (file) => `Making ${file || "the first film"} …`,
  all: (name) => `Show all cameras, not only ${name}`,
  one: (name) => `Show ${name} alone`,
  lost: "The controller does not answer.",
  run: "Play",
  pause: "Pause",
};
// A film that runs away from the others by more than half a frame is set, by less it is left alone.
const AWAY_FRAMES = 0.5;

const page = document.getElementById("play");
const at = (id) => document.getElementById(id);
const { take } = page.dataset;
const say = (text) => (at("play-told").textContent = text);

/** The record of the newest take of this name that has one, and its marks. */
async function find() {
  for (const { id, files } of (await exported(take)) ?? []) {
    const name = files.map((file) => file.name).find((file) => file.endsWith("_export.json"));
    if (!name) continue;
    // Not as it was before light films were made.
    const record = await (await fetch(`/media/${take}/editor/${name}`, { cache: "no-store" })).json();
    const { takes } = await (await fetch(`/api/takes/${take}/marks`)).json();
    return { id, record, marks: takes.find((one) => one.id === id)?.marks ?? [] };
  }
  return null;
}

/** Microseconds since 1970 of an RFC 3339 time with six decimals. */
function micros(text) {
  const [, whole, part] = /^(.*)\.(\d{6})Z$/.exec(text);
  return Date.parse(`${whole}Z`) * 1000 + Number(part);
}

function takeTime(seconds) {
  const ms = Math.round(seconds * 1000);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  return `${two(ms / 3600000)}:${two((ms / 60000) % 60)}:${two((ms / 1000) % 60)}.${String(ms % 1000).padStart(3, "0")}`;
}

function timecode(first, frame, base) {
  const [h, m, s, f] = first.split(":").map(Number);
  const whole = ((h * 60 + m) * 60 + s) * base + f + frame;
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const second = Math.floor(whole / base);
  return [(second / 3600) % 24, (second / 60) % 60, second % 60, whole % base].map(two).join(":");
}

/** Has light films made, and then plays those. */
async function lighten({ id, record }) {
  const button = at("make-light");
  button.disabled = true;
  const wish = { stamp: id.slice(-15), conform: record.conformed, proxies: true };
  let on = await post(`takes/${take}/export`, wish, say);
  while (on) {
    const made = (await exported(take))?.find((one) => one.id === id)?.export;
    on = made?.state === "queued" || made?.state === "running";
    at("light-bar").hidden = !on;
    at("light-bar").value = made?.total ? made.done / made.total : 0;
    if (on) say(words.making(made.file));
    else if (made?.state === "done") return location.reload();
    else say(made ? made.error ?? "" : words.lost);
    await new Promise((next) => setTimeout(next, EVERY_MS));
  }
  button.disabled = false;
}

function player(found) {
  const { record, marks } = found;
  const frame = record.rate.seconds / record.rate.frames;
  const base = Math.ceil(record.rate.frames / record.rate.seconds);
  const length = (micros(record.t1) - micros(record.t0)) / 1e6;
  const last = Math.max(0, Math.round(length / frame) - 1);
  const films = record.nodes.filter((node) => node.film).map((node) => screen(node));
  let tick = 0;
  let wanted = null;
  let running = false;

  function screen(node) {
    const figure = document.createElement("figure");
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto", src: `/media/${take}/editor/${node.proxy ?? node.film}` });
    video.addEventListener("error", () => {
      say(words.broken(node.name));
      at("light-offer").hidden = Boolean(node.proxy);
    });
    const button = document.createElement("button");
    button.type = "button";
    const label = document.createElement("span");
    label.textContent = node.name;
    button.append(label);
    button.setAttribute("aria-label", words.one(node.name));
    button.addEventListener("click", () => {
      const screens = at("screens");
      const alone = figure.hasAttribute("data-seen");
      for (const other of screens.children) other.removeAttribute("data-seen");
      figure.toggleAttribute("data-seen", !alone);
      screens.toggleAttribute("data-one", !alone);
      button.setAttribute("aria-label", alone ? words.one(node.name) : words.all(node.name));
    });
    figure.append(video, button);
    at("screens").append(figure);
    return video;
  }

  /** The middle of a frame, so that rounding never shows the one before. */
  const middle = (frames) => Math.min((frames + 0.5) * frame, length - frame / 4);

  function told() {
    at("scrub").value = tick;
    at("where").textContent = `${takeTime(tick * frame)} · ${timecode(record.timecode, tick, base)}`;
  }

  /** Sets all films to a frame, and comes back when all show it. A later wish overtakes an earlier one. */
  async function show(frames) {
    tick = Math.min(last, Math.max(0, frames));
    told();
    if (wanted !== null) {
      wanted = tick;
      return;
    }
    wanted = tick;
    page.dataset.shown = "";
    for (let shown = null; shown !== wanted; ) {
      shown = wanted;
      await Promise.all(films.map((film) => seek(film, middle(shown))));
    }
    wanted = null;
    page.dataset.shown = tick;
  }

  function seek(film, seconds) {
    if (film.error) return null;
    return new Promise((done) => {
      const end = () => (film.removeEventListener("seeked", end), film.removeEventListener("error", end), done());
      film.addEventListener("seeked", end);
      film.addEventListener("error", end);
      film.currentTime = seconds;
    });
  }

  /** The two marks around a frame, or the take's ends. */
  function around(frames) {
    const flags = [0, ...marks.map(place), last + 1].sort((a, b) => a - b);
    const end = flags.find((flag) => flag > frames) ?? last + 1;
    return [flags.filter((flag) => flag <= frames).at(-1) ?? 0, end];
  }

  const place = (mark) => Math.min(last, Math.max(0, Math.floor((micros(mark.at) - micros(record.t0)) / 1e6 / frame + 1e-6)));
  let loop = null;

  async function run(now) {
    running = now;
    at("run").textContent = now ? words.pause : words.run;
    at("run").setAttribute("aria-pressed", now);
    if (!now) {
      films.forEach((film) => film.pause());
      await show(tick);
      return;
    }
    await show(tick >= last ? 0 : tick);
    const speed = Number(at("speed").value);
    for (const film of films) film.playbackRate = speed;
    await Promise.all(films.map((film) => film.play().catch(() => null)));
    requestAnimationFrame(follow);
  }

  /** While it runs the first film that can be played leads. */
  function follow() {
    if (!running) return;
    const leader = films.find((film) => !film.error && !film.ended);
    if (!leader) {
      tick = loop ? loop[0] : last;
      return void run(Boolean(loop));
    }
    tick = Math.min(last, Math.max(0, Math.floor(leader.currentTime / frame + 1e-3)));
    told();
    if (loop && tick >= loop[1]) {
      films.forEach((film) => film.pause());
      tick = loop[0];
      return void run(true);
    }
    for (const film of films) {
      const away = film.currentTime - leader.currentTime;
      if (film !== leader && !film.ended && !film.seeking && Math.abs(away) > AWAY_FRAMES * frame) {
        // Faster or slower for a moment where that is enough: setting it would stop its picture.
        const speed = leader.playbackRate;
        if (Math.abs(away) > 8 * frame) film.currentTime = leader.currentTime;
        else film.playbackRate = speed * (away > 0 ? 0.9 : 1.1);
      } else if (film.playbackRate !== leader.playbackRate) film.playbackRate = leader.playbackRate;
    }
    requestAnimationFrame(follow);
  }

  at("scrub").max = last;
  at("scrub").addEventListener("input", () => (running ? run(false) : null, show(Number(at("scrub").value))));
  at("run").addEventListener("click", () => run(!running));
  const step = (by) => async () => {
    if (running) await run(false);
    await show(tick + by);
  };
  at("back").addEventListener("click", step(-1));
  at("on").addEventListener("click", step(1));
  at("speed").addEventListener("change", () => films.forEach((film) => (film.playbackRate = Number(at("speed").value))));
  at("loop").addEventListener("click", () => {
    loop = loop ? null : around(tick);
    at("loop").setAttribute("aria-pressed", loop !== null);
  });
  for (const mark of marks) {
    const flag = document.createElement("button");
    flag.type = "button";
    flag.textContent = `${mark.n}. ${takeTime(place(mark) * frame)}${mark.note ? ` ${mark.note}` : ""}`;
    flag.addEventListener("click", async () => {
      if (running) await run(false);
      await show(place(mark));
      if (loop) loop = around(tick);
    });
    at("flags").append(flag);
  }
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select")) return;
    const keys = { " ": () => run(!running), ArrowLeft: step(-1), ArrowRight: step(1) };
    // The space bar presses a button that has the focus.
    if (!keys[event.key] || (event.key === " " && event.target.closest("button, a"))) return;
    event.preventDefault();
    keys[event.key]();
  });
  at("light-offer").hidden = !record.heavy || !record.nodes.some((node) => node.film && !node.proxy);
  at("make-light").addEventListener("click", () => lighten(found));
  at("transport").hidden = false;
  show(0);
}

const found = await find().catch(() => null);
if (found?.record.nodes.some((node) => node.film)) player(found);
else say(words.none);
