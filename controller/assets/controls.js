// The buttons and keys. Nothing is done twice by accident: STOP wants a second press, a key wants a second press, and
// a press within DOUBLE_MS of the last one is a double click.

import { format, now, takeTime } from "./clock.js";
import { texts } from "./texts.js";

const DOUBLE_MS = 700;
const CONFIRM_MS = 4000;
const CONSIDER_MS = 60000;

/** Wires the page's controls; gives what is called when fields of `view` changed. */
export function controls(view) {
  const at = (id) => document.getElementById(id);
  const [start, stop, mark, download] = ["start", "stop", "mark", "download"].map(at);
  const [take, note, answer, problem] = ["take", "note", "answer", "take-problem"].map(at);
  const startLabel = start?.textContent;
  let typed = false;
  let unready = -Infinity;
  let considering;
  let changed = -Infinity;
  const starting = confirmed(start, texts.startAgain, () => changed);
  const stopping = confirmed(stop, texts.stopAgain, () => changed);

  function say(text, failed = false) {
    answer.textContent = text;
    answer.dataset.failed = failed;
  }

  async function send(word, body, button, tell) {
    button.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(`/api/${word}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(8000),
      });
      const result = await response.json();
      if (result.error) say(sentence(result.error.message), true);
      else say([texts.done[word](name(result.take), tell), ...(result.warnings ?? []).map(sentence)].join(" "));
      if (result.error?.code === "not_ready") unready = performance.now();
      return !result.error;
    } catch {
      say(texts.noAnswer, true);
      return false;
    } finally {
      button.removeAttribute("aria-busy");
    }
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

  async function keepMark() {
    // The press is the moment: the clock is read before anything else.
    const time = now();
    if (mark.disabled) return;
    if (time === null) return say(texts.wait, true);
    const text = note.value;
    note.value = "";
    const kept = await send("mark", { at: format(time), note: text }, mark, takeTime(time - view.t0_us));
    if (!kept && note.value === "") note.value = text;
  }

  download?.addEventListener("click", () => {
    if (download.hasAttribute("aria-busy")) return;
    send("download", download.dataset.take ? { take: download.dataset.take } : {}, download);
  });
  const cleanup = at("cleanup");
  const deleting = confirmed(cleanup, texts.cleanupAgain, () => changed);
  cleanup?.addEventListener("click", () => {
    if (cleanup.hasAttribute("aria-busy") || !deleting.press()) return;
    send("download", { take: cleanup.dataset.take, delete_after_verify: true }, cleanup);
  });
  const discard = at("discard");
  const discarding = confirmed(discard, texts.discardAgain, () => changed);
  discard?.addEventListener("click", async () => {
    if (!discarding.press()) return;
    const take = discard.dataset.take;
    try {
      const response = await fetch(`/api/takes/${take}/delete`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ confirm: take }),
      });
      const result = await response.json();
      say(result.error ? sentence(result.error.message) : texts.discarded, Boolean(result.error));
    } catch {
      say(texts.noAnswer, true);
    }
  });
  // Whoever only looks on has no buttons, and no keys either.
  if (!start || document.body.classList.contains("viewer")) return () => {};

  take.addEventListener("input", () => {
    typed = true;
    problem.textContent = take.value ? (nameProblem(take.value) ?? "") : "";
  });
  at("start-form").addEventListener("submit", (event) => {
    event.preventDefault();
    roll();
  });
  at("mark-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keepMark();
  });
  stop.addEventListener("click", () => stopping.press() && cut());
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape") {
      if (starting.cancel() | stopping.cancel()) say(texts.cancelled);
      if (typing) event.target.blur();
    }
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "m" || event.key === "M") keepMark();
    if (event.key === "r" || event.key === "R") {
      if (view.t0_us) {
        if (stopping.press()) cut();
      } else if (starting.press()) roll();
    }
  });

  return (fields) => {
    if ("proposal" in fields && !typed) take.value = fields.proposal;
    if ("t0_us" in fields) {
      const rolling = Boolean(fields.t0_us);
      if (mark.disabled === rolling) changed = performance.now();
      mark.disabled = !rolling;
      starting.cancel();
      stopping.cancel();
      if (rolling) stayAwake();
    }
  };
}

/** A button whose action wants a second press, at least DOUBLE_MS after the first and soon enough. */
function confirmed(button, question, changed) {
  const label = button?.textContent;
  let asked = null;
  let timer;
  function cancel() {
    const was = asked !== null;
    clearTimeout(timer);
    asked = null;
    if (was) {
      button.textContent = label;
      delete button.dataset.asking;
    }
    return was;
  }
  function press() {
    const time = performance.now();
    // The button has only just appeared under a finger that meant the other one.
    if (time - changed() < DOUBLE_MS) return false;
    if (asked === null) {
      asked = time;
      button.textContent = question;
      button.dataset.asking = "";
      timer = setTimeout(cancel, CONFIRM_MS);
      return false;
    }
    return time - asked >= DOUBLE_MS && cancel();
  }
  return { press, cancel };
}

/** The screen stays on while a take rolls, where the browser can (it can on secure addresses only). */
async function stayAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // Not allowed (low battery, page in the background): the shoot goes on without.
  }
}

function nameProblem(text) {
  if (!text) return texts.emptyName;
  const bad = /[^A-Za-z0-9._-]/u.exec(text);
  if (bad) return texts.badCharacter(bad[0]);
  return /^[A-Za-z0-9]/.test(text) ? null : texts.badStart;
}

/** A take's name from its id. */
function name(id) {
  return id?.replace(/_\d{8}_\d{6}$/, "") ?? "";
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
