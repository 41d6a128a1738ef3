// Asking the controller for something: the same words and answers as by MQTT.

import { texts } from "./texts.js";

/** Posts to `/api/{word}`; gives the answer, or says what is wrong by `say` (with its code) and gives null. */
export async function post(word, body, say, patience = 8000) {
  try {
    const response = await fetch(`/api/${word}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
    });
    const result = await response.json();
    if (!result.error) return result;
    say(sentence(result.error.message), true, result.error.code);
  } catch {
    say(texts.noAnswer, true);
  }
  return null;
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
