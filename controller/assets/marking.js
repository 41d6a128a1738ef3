// MARK: the press is the moment. A note typed before it goes with it; after a press without one the field takes the
// note of the mark just made.

import { format, now, takeTime } from "./clock.js";
import { texts } from "./texts.js";

/** Wires the MARK button and its field; gives what presses it and what leaves the note to a later press. */
export function marking(view, { mark, note, label }, send, say) {
  const before = label.textContent;
  // The mark that the field writes the note of; null while it is for the next one.
  let last = null;
  let presses = 0;

  function aim(made) {
    last = made;
    label.textContent = made ? texts.noteFor(made.n, made.time) : before;
  }

  async function keepNote() {
    const { n } = last;
    const text = note.value;
    note.value = "";
    aim(null);
    const done = await send("mark", { n, note: text }, mark, texts.noteOf(n));
    if (!done && note.value === "") note.value = text;
  }

  async function press() {
    // The clock is read before anything else.
    const time = now();
    if (mark.disabled) return;
    if (time === null) return say(texts.wait, true);
    const turn = ++presses;
    // What was being typed is of the mark before.
    if (last && note.value) keepNote();
    const text = note.value;
    note.value = "";
    aim(null);
    const said = takeTime(time - view.t0_us);
    const result = await send("mark", { at: format(time), note: text }, mark, texts.marked(said));
    if (!result && note.value === "") note.value = text;
    if (result?.mark && !text && turn === presses) aim({ n: result.mark, time: said });
  }

  mark.addEventListener("click", () => press());
  note.form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (last) {
      if (note.value) keepNote();
      note.blur();
    } else press();
  });
  return { press, leave: () => last && aim(null) };
}
