//! A command is read whatever it holds, and its answer survives its JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncslate_shared::command::{Command, CommandResult, Wish};
use syncslate_shared::protocol::{read, write};
use syncslate_shared::take::MAX_NOTE;
use syncslate_shared::time::Wall;

const WORDS: [&str; 7] = ["start", "stop", "mark", "download", "identify", "", "dance"];

fuzz_target!(|data: (u8, &[u8])| {
    let (word, payload) = data;
    let command = Command::read(WORDS[usize::from(word) % WORDS.len()], payload);
    if let Ok(Wish::Mark { note, .. }) = &command.wish {
        assert!(note.len() <= MAX_NOTE);
    }
    let answer = command.answer(command.wish.clone().map(|_| None), Wall::from_micros(0));
    let again: CommandResult = read(&write(&answer)).expect("an answer is JSON");
    assert_eq!((again.ok, &again.cmd, &again.error), (answer.ok, &answer.cmd, &answer.error));
    assert_eq!(again.id.is_some(), answer.id.is_some());
    assert!(Command::retained("start", payload).wish.is_err());
});
