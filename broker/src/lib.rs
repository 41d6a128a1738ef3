//! The MQTT broker inside the controller: rumqttd, started on a given address, known by its bound address, and stopped.
