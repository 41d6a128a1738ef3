// Nothing is done twice by accident, and what cannot be undone wants a second press.

/** A press within this time of the last one is a double click. */
export const DOUBLE_MS = 700;
const CONFIRM_MS = 4000;

/** A button whose action wants a second press, at least DOUBLE_MS after the first and soon enough. */
export function confirmed(button, question, changed = () => -Infinity) {
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
