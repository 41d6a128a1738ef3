// The shared clock: the controller's time, never the browser's.
//
// A time that arrives is old by the way it took, so of the last readings the one that says the latest is the nearest
// to the truth; older readings leave, so that the estimate follows a clock that is being corrected.

const KEPT = 20;
let readings = [];

/** Takes a reading: microseconds since 1970, as of now. */
export function heard(us) {
  readings.push(us - performance.now() * 1000);
  if (readings.length > KEPT) readings.shift();
}

/** Forgets everything: the machine may have slept, during which some browsers' performance.now() stands still. */
export function forget() {
  readings = [];
}

/** Microseconds since 1970 of the shared clock; null before the first reading. */
export function now() {
  return readings.length ? Math.max(...readings) + performance.now() * 1000 : null;
}

/** An RFC 3339 time with its microseconds. */
export function parse(text) {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return Math.floor(Date.parse(text) / 1000) * 1e6 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

/** RFC 3339 of microseconds since 1970. */
export function format(us) {
  const whole = Math.floor(us / 1e6);
  const rest = String(Math.floor(us - whole * 1e6)).padStart(6, "0");
  return new Date(whole * 1000).toISOString().replace(/\.\d+Z$/, `.${rest}Z`);
}

/** Time since T0 as a slate shows it, to the tenth of a second. */
export function takeTime(us) {
  const tenths = Math.floor(Math.abs(us) / 1e5);
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, Math.floor(tenths / 10) % 60];
  return `${us < 0 ? "−" : ""}${two(h)}:${two(m)}:${two(s)}.${tenths % 10}`;
}
