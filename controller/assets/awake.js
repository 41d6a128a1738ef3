// The screen stays on while a take rolls. Browsers allow that on secure addresses only; elsewhere the page says so.

import { texts } from "./texts.js";

let lock = null;
let wanted = false;

/** Holds the screen awake while `rolling`; `hint` says in words when the browser refuses. */
export async function awake(rolling, hint) {
  wanted = rolling;
  if (!rolling) {
    hint.textContent = "";
    lock?.release().catch(() => {});
    lock = null;
    return;
  }
  if (!navigator.wakeLock) {
    hint.textContent = window.isSecureContext ? texts.awakeUnknown : texts.awakeInsecure;
    return;
  }
  try {
    const held = await navigator.wakeLock.request("screen");
    // The take may have been cut meanwhile.
    if (wanted && !lock) lock = held;
    else held.release().catch(() => {});
    lock?.addEventListener("release", () => (lock = null), { once: true });
    hint.textContent = "";
  } catch {
    // A low battery, or the page is in the background: then it is asked again when it comes back.
    if (wanted && document.visibilityState === "visible") hint.textContent = texts.awakeRefused;
  }
}

document.addEventListener("visibilitychange", () => {
  const hint = document.getElementById("awake");
  if (wanted && !lock && hint && document.visibilityState === "visible") awake(true, hint);
});
