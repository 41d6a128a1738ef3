// What the page says by itself; all else comes in words from the controller.

export const texts = {
  lost: "Connection lost: what you see may be out of date. Trying again …",
  start: "START",
  startForced: "START anyway",
  startAgain: "Press R again to roll",
  stop: "STOP",
  stopAgain: "Press again to cut",
  cleanupAgain: "Press again: the copies here become the only ones",
  renameAgain: "Press again to rename",
  sameName: "This is its name already.",
  discardAgain: "Press again: it goes to the trash for a week",
  discarded: "In the trash for a week.",
  cancelled: "Cancelled.",
  noAnswer: "The controller does not answer. The command may not have arrived.",
  wait: "The shared clock is not known yet; try again in a second.",
  emptyName: "A take name needs at least one character.",
  badStart: "A take name starts with a letter or a digit.",
  badCharacter: (character) => `A take name is made of letters A–Z, digits, “.”, “_” and “-”; it cannot hold “${character}”.`,
  noPicture: "No picture: the controller does not answer",
  secondsOld: (seconds) => `${seconds} s ago`,
  rebootAgain: "Press again to restart",
  shutdownAgain: "Press again to turn off",
  ordering: "Asking the camera computer …",
  clipping: (dark, bright) => `${percent(dark)} at black · ${percent(bright)} at white`,
  cameras: {
    none: "no camera is chosen",
    chosen: (names) => names.join(", "),
    now: (value) => `Now: ${value}`,
    differ: (values) => `They differ: ${values.join(", ")}`,
    lacking: (names) => `Not on ${names.join(", ")}`,
    automatic: "automatic",
    unknown: "not known",
    differs: "differs",
    nothing: "Nothing is filled in: a field that is left alone changes nothing.",
    choose: "Choose a camera first.",
    number: (label) => `${label}: a number is needed.`,
    matchAgain: "Press again",
    forgetAgain: "Press again: their own settings",
    set: "Set.",
  },
  done: {
    start: (take) => `Rolling ${take}.`,
    stop: (take) => `Cut ${take}.`,
    mark: (take, time) => `Marked ${time}.`,
    download: () => "Download started.",
    identify: () => "Its LED blinks for 10 s.",
    reboot: () => "It restarts and comes back by itself.",
    shutdown: () => "It turns off. To bring it back, unplug it and plug it in again.",
    "download/cancel": () => "Download cancelled; what has arrived stays.",
  },
};

/** A share in words: what is there but hardly to be seen is not called nothing. */
function percent(share) {
  if (share === 0) return "nothing";
  return share < 0.001 ? "less than 0.1 %" : `${(share * 100).toFixed(1)} %`;
}
