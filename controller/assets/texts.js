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
  done: {
    start: (take) => `Rolling ${take}.`,
    stop: (take) => `Cut ${take}.`,
    mark: (take, time) => `Marked ${time}.`,
    download: () => "Download started.",
    "download/cancel": () => "Download cancelled; what has arrived stays.",
  },
};
