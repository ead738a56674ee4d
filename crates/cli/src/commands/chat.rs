//! `chat`: a conversation, a turn of the user on every line of standard input.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::time::Instant;

use formwork_text::{Chat, Folder, Generate, Generator};

use super::forward::{built_for_texts, command};
use super::run::settings::note_unapplied;
use super::run::{print, sampling, stats};
use crate::args::Global;
use crate::output::{note, say};
use crate::problem::{Outcome, Problem};
use crate::program::{self, Program};
use crate::{text_args, texts};

/// The most tokens of an answer unless told.
const COUNT: usize = 512;

pub(super) fn run(options: &text_args::Chat, global: &Global) -> Outcome {
    let folder = Folder::of(&options.target.weights);
    let mut chat = Chat::new(&folder, options.system.as_deref())?;
    let executable = built_for_texts(&options.target, global)?;
    let generator = Generator::new(&folder, &program::facts(&executable)?)?;
    note_unapplied(&folder)?;
    let mut engine = Program::start(command(&executable, "serve", &options.target, global))?;
    let input = std::io::stdin().lock();
    let asks = input.is_terminal();
    let mut lines = input.split(b'\n');
    loop {
        if asks {
            say("> ")?;
        }
        let Some(line) = lines.next() else { return Ok(0) };
        let text = texts::utf8(line, Path::new(texts::STANDARD_INPUT))?;
        if !text.trim().is_empty() {
            answer(&mut chat, text.trim_end_matches('\r'), &generator, &mut engine, options)?;
        }
    }
}

/// Shows an answer as it comes, and adds it to the conversation.
fn answer(
    chat: &mut Chat,
    text: &str,
    generator: &Generator,
    engine: &mut Program,
    options: &text_args::Chat,
) -> Result<(), Problem> {
    let begin = Instant::now();
    let ids = generator.asked(chat, text)?;
    let count = match options.count {
        Some(count) => count,
        None => generator.at_most(COUNT, ids.len())?,
    };
    let (sampling, stop) = (sampling(&options.choice), options.stop.clone());
    let asked = Generate { count: Some(count), sampling, stop, likeliest: None };
    let mut pieces = generator.generate(engine, &ids, &asked)?;
    let mut said = String::new();
    let times = print(&mut pieces, false, |piece| said += piece)?;
    if times.is_empty() {
        say("\n")?;
    }
    if options.stats {
        let (read, reused) = (pieces.read(), pieces.reused());
        note(&stats(begin, &times, &format!("{read} tokens read and {reused} kept from before")));
    }
    chat.answered(&said);
    Ok(())
}
