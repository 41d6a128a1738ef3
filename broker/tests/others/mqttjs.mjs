// MQTT.js over websockets against the broker: every quality, retained, a will. Prints `ok`.
import { createRequire } from "node:module";
import assert from "node:assert";

const [, , folder, url, version] = process.argv;
const mqtt = createRequire(folder + "/")("mqtt");
const options = { protocolVersion: Number(version), reconnectPeriod: 0, clean: true };
const fail = setTimeout(() => { console.error("no end in time"); process.exit(1); }, 25000);

const messages = [];
let waiting = null;
const next = () => new Promise((resolve) => {
  if (messages.length) resolve(messages.shift()); else waiting = resolve;
});

const sub = await mqtt.connectAsync(url, { ...options, clientId: "js-sub-" + version });
sub.on("message", (topic, payload, packet) => {
  const message = [topic, payload.toString(), packet.qos, packet.retain];
  if (waiting) { waiting(message); waiting = null; } else messages.push(message);
});
await sub.subscribeAsync("js/#", { qos: 2 });
const will = { topic: "js/will", payload: "gone", qos: 1, retain: false };
const pub = await mqtt.connectAsync(url, { ...options, clientId: "js-pub-" + version, will });
for (const qos of [0, 1, 2]) {
  await pub.publishAsync("js/q", "quality " + qos, { qos });
  assert.deepEqual(await next(), ["js/q", "quality " + qos, qos, false]);
}
const large = "x".repeat(300000);
await pub.publishAsync("js/large", large, { qos: 1 });
assert.deepEqual(await next(), ["js/large", large, 1, false]);
await pub.publishAsync("js/kept", "kept", { qos: 1, retain: true });
assert.deepEqual(await next(), ["js/kept", "kept", 1, false]);
await sub.subscribeAsync("js/kept", { qos: 1 });
assert.deepEqual(await next(), ["js/kept", "kept", 1, true]);
await sub.unsubscribeAsync("js/kept");
pub.stream.destroy();
assert.deepEqual(await next(), ["js/will", "gone", 1, false]);
await sub.publishAsync("js/kept", "", { qos: 1, retain: true });
await sub.endAsync();
clearTimeout(fail);
console.log("ok");
