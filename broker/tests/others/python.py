"""paho-mqtt against the broker: every quality, retained, a will, a persistent session. Prints `ok`."""
import queue
import sys

import paho.mqtt.client as mqtt

port, version = int(sys.argv[1]), {"4": mqtt.MQTTv311, "5": mqtt.MQTTv5}[sys.argv[2]]


def client(name, got=None, will=None):
    c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=version)
    ready = queue.Queue()
    c.on_connect = lambda *_: ready.put("connected")
    c.on_subscribe = lambda *_: ready.put("subscribed")
    if got is not None:
        c.on_message = lambda _c, _u, m: got.put((m.topic, m.payload.decode(), m.qos, m.retain))
    if will:
        c.will_set(*will)
    c.connect("127.0.0.1", port, keepalive=0 if version == mqtt.MQTTv311 else 60)
    c.loop_start()
    assert ready.get(timeout=20) == "connected"
    return c, ready


got = queue.Queue()
sub, ready = client(f"paho-sub-{version}", got)
sub.subscribe("paho/#", 2)
assert ready.get(timeout=20) == "subscribed"
pub, _ = client(f"paho-pub-{version}", will=("paho/will", "gone", 1, False))
for qos in range(3):
    pub.publish("paho/q", f"quality {qos}", qos).wait_for_publish(20)
    assert got.get(timeout=20) == ("paho/q", f"quality {qos}", qos, False)
pub.publish("paho/kept", "kept", 1, retain=True).wait_for_publish(20)
assert got.get(timeout=20) == ("paho/kept", "kept", 1, False)
sub.subscribe("paho/kept", 1)
assert ready.get(timeout=20) == "subscribed"
assert got.get(timeout=20) == ("paho/kept", "kept", 1, True)
sub.unsubscribe("paho/kept")
pub.loop_stop()
pub.socket().close()
assert got.get(timeout=20) == ("paho/will", "gone", 1, False)
sub.publish("paho/kept", "", 1, retain=True).wait_for_publish(20)
sub.disconnect()
print("ok")
