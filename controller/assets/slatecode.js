// The code that cameras read the time from: which modules are black at which instant, and drawing them. Where they lie
// is said by slatetable.js; design/slate.md says why. Nothing here knows the page.

import { cycle, fields, margin, marks, mask, side } from "./slatetable.js";

/** Modules along a side of the card, its margin counted. */
export const card = side + 2 * margin;
/** How many fields take turns. */
export const turns = fields.length;

/** CRC-16 of CCITT (0x1021, begun with 0xffff). */
function checksum(bytes) {
  let sum = 0xffff;
  for (const byte of bytes) {
    sum ^= byte << 8;
    for (let i = 0; i < 8; i += 1) sum = ((sum << 1) ^ (sum & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return sum;
}

/** What the modules of a field say at `ms` milliseconds since 1970: true is black. */
export function modules(field, ms, session) {
  const time = ms % cycle;
  const told = [time >> 16, (time >> 8) & 0xff, time & 0xff, session];
  const sum = checksum([field, session, ...told.slice(0, 3)]);
  return [...told, sum >> 8, sum & 0xff]
    .flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((bit) => (byte >> bit) & 1))
    .map((bit, i) => bit !== Number(mask[i]));
}

/** Draws the card without its fields; `px` is the size of a module. */
export function drawCard(context, px) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, card * px, card * px);
  context.fillStyle = "#000";
  for (const at of marks) square(context, at, px);
}

/** Draws one field as of `ms`. */
export function drawField(context, px, field, ms, session) {
  const black = modules(field, ms, session);
  fields[field].forEach((at, i) => {
    context.fillStyle = black[i] ? "#000" : "#fff";
    square(context, at, px);
  });
}

function square(context, at, px) {
  context.fillRect((margin + (at % side)) * px, (margin + Math.floor(at / side)) * px, px, px);
}
