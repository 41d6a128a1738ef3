// What is set for this browser alone: its colours, and whether it sounds and buzzes.

import { cueSwitches } from "./cues.js";
import { keep, kept } from "./kept.js";

/** Wires the settings, when they are on this page. */
export function ownSettings() {
  const form = document.getElementById("own");
  if (!form) return;
  form.hidden = false;
  for (const choice of form.elements.theme) {
    choice.checked = choice.value === kept("theme");
    choice.addEventListener("change", () => {
      keep("theme", choice.value);
      dispatchEvent(new Event("syncslate-theme"));
    });
  }
  cueSwitches();
}
