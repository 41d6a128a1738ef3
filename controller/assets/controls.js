// The buttons and keys. Nothing is done twice by accident: STOP wants a second press, a key wants a second press, and
// a press within DOUBLE_MS of the last one is a double click.

import { awake } from "./awake.js";
import { DOUBLE_MS, confirmed } from "./confirm.js";
import { cue } from "./cues.js";
import { keeping } from "./keeping.js";
import { marking } from "./marking.js";
import { nameProblem } from "./names.js";
import { post } from "./post.js";
import { texts } from "./texts.js";

const CONSIDER_MS = 60000;

/** Wires the page's controls; gives what is called when fields of `view` changed. */
export function controls(view) {
  const at = (id) => document.getElementById(id);
  const [start, stop, mark, download] = ["start", "stop", "mark", "download"].map(at);
  const [take, answer, problem] = ["take", "answer", "take-problem"].map(at);
  const startLabel = start?.textContent;
  let typed = false;
  let unready = -Infinity;
  let considering;
  let changed = -Infinity;
  let rolled;
  const starting = confirmed(start, texts.startAgain, () => changed);
  const stopping = confirmed(stop, texts.stopAgain, () => changed);

  function say(text, failed = false, code = "") {
    if (code === "not_ready") unready = performance.now();
    answer.textContent = text;
    answer.dataset.failed = failed;
  }

  async function send(word, body, button, tell) {
    button.setAttribute("aria-busy", "true");
    const result = await post(word, body, say);
    button.removeAttribute("aria-busy");
    if (result) say([texts.done[word](name(result.take), tell), ...(result.warnings ?? [])].join(" · "));
    return result;
  }

  async function roll() {
    const wrong = nameProblem(take.value);
    problem.textContent = wrong ?? "";
    if (wrong) return take.focus();
    if (start.hasAttribute("aria-busy") || performance.now() - changed < DOUBLE_MS) return;
    // What the set was not ready for has been read: the next press in time means it.
    const force = performance.now() - unready < CONSIDER_MS;
    unready = -Infinity;
    const done = await send("start", force ? { take: take.value, force } : { take: take.value }, start);
    start.textContent = unready > 0 ? texts.startForced : startLabel;
    clearTimeout(considering);
    considering = setTimeout(() => (start.textContent = startLabel), CONSIDER_MS);
    if (done) {
      typed = false;
      take.blur();
      if (view.proposal) take.value = view.proposal;
    }
  }

  function cut() {
    if (!stop.hasAttribute("aria-busy")) send("stop", {}, stop);
  }

  download?.addEventListener("click", () => {
    if (download.hasAttribute("aria-busy")) return;
    send("download", download.dataset.take ? { take: download.dataset.take } : {}, download);
  });
  // The button of each download in the list, which comes and goes.
  at("downloads")?.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-action]");
    if (!button?.dataset.action || button.hasAttribute("aria-busy")) return;
    const word = button.dataset.action === "cancel" ? "download/cancel" : "download";
    send(word, { take: button.dataset.take }, button);
  });
  if (!start) {
    if (download) keeping(send, say);
    return () => {};
  }
  // Whoever only looks on has no buttons, and no keys either.
  if (document.body.classList.contains("viewer")) return (fields) => sound(fields);
  const marks = marking(view, { mark, note: at("note"), label: at("note-label") }, send, say);

  take.addEventListener("input", () => {
    typed = true;
    problem.textContent = take.value ? (nameProblem(take.value) ?? "") : "";
  });
  at("start-form").addEventListener("submit", (event) => {
    event.preventDefault();
    roll();
  });
  stop.addEventListener("click", () => stopping.press() && cut());
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape") {
      if (starting.cancel() | stopping.cancel()) say(texts.cancelled);
      marks.leave();
      if (typing) event.target.blur();
    }
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "m" || event.key === "M") marks.press();
    if (event.key === "n" || event.key === "N") {
      // Else the letter would be the first of the note.
      event.preventDefault();
      at("note").focus();
    }
    if (event.key === "r" || event.key === "R") {
      if (view.t0_us) {
        if (stopping.press()) cut();
      } else if (starting.press()) roll();
    }
  });

  /** A cue for what happened, not for what was there when the page was opened. */
  function sound(fields) {
    if (!("t0_us" in fields)) return;
    const rolling = Boolean(fields.t0_us);
    if (rolled !== undefined && rolled !== rolling) cue(rolling ? "roll" : "cut");
    rolled = rolling;
  }

  return (fields) => {
    sound(fields);
    if ("proposal" in fields && !typed) take.value = fields.proposal;
    if ("t0_us" in fields) {
      const rolling = Boolean(fields.t0_us);
      if (mark.disabled === rolling) changed = performance.now();
      mark.disabled = !rolling;
      if (!rolling) marks.leave();
      starting.cancel();
      stopping.cancel();
      awake(rolling, at("awake"));
    }
  };
}

/** A take's name from its id. */
function name(id) {
  return id?.replace(/_\d{8}_\d{6}$/, "") ?? "";
}
