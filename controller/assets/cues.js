// A sound and a buzz when a take rolls or is cut, for those who wish it. Off until it is switched on in this browser.

import { kept, keep } from "./kept.js";

// Two rising tones roll, two falling ones cut: hertz, after so many seconds.
const TONES = { roll: [[660, 0], [990, 0.16]], cut: [[660, 0], [440, 0.16]] };
const BUZZ = { roll: [180], cut: [90, 90, 90] };
const KINDS = ["sound", "buzz"];
let audio = null;

/** Gives the cue `what`, as far as this browser was told to. */
export function cue(what, wanted = (kind) => kept(kind) === "on") {
  if (wanted("buzz")) navigator.vibrate?.(BUZZ[what]);
  if (!wanted("sound") || !window.AudioContext) return;
  audio ??= new AudioContext();
  // A browser plays nothing before the page was touched once: then the cue is left out.
  if (audio.state === "suspended") audio.resume().catch(() => {});
  for (const [hertz, after] of TONES[what]) {
    const [tone, level] = [audio.createOscillator(), audio.createGain()];
    const begin = audio.currentTime + after;
    tone.frequency.value = hertz;
    level.gain.setValueAtTime(0.25, begin);
    level.gain.exponentialRampToValueAtTime(0.001, begin + 0.14);
    tone.connect(level).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + 0.15);
  }
}

/** Wires the switches and the button that tries them. */
export function cueSwitches() {
  for (const kind of KINDS) {
    const box = document.getElementById(`cue-${kind}`);
    box.checked = kept(kind) === "on";
    box.addEventListener("change", () => keep(kind, box.checked ? "on" : ""));
  }
  document.getElementById("cue-try").addEventListener("click", () => cue("roll"));
}
