//! Counting the words of files, in bounded memory.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use super::Progress;
use crate::Error;
use crate::json::Json;

/// Lines are counted in pieces of about so many bytes.
const PIECE: usize = 1 << 20;
/// Pieces that a thread has been given and whose counts are not added yet.
const AHEAD: usize = 2;
/// The longest line.
const MAX_LINE: u64 = 16 << 20;

/// Words in order, each with its count.
pub(super) struct Counted {
    pub(super) words: Vec<(String, u64)>,
    pub(super) dropped: u64,
}

/// Counts what the splitter makes of every line, its end included.
pub(super) fn count(
    files: &[PathBuf],
    splitter: &Json,
    max_words: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Counted, Error> {
    let size = |path: &PathBuf| std::fs::metadata(path).map(|it| it.len()).map_err(|error| Error::io(path, &error));
    let total = files.iter().map(size).sum::<Result<u64, _>>()?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut sum = Sum { words: HashMap::new(), max_words, floor: 0, dropped: 0 };
    let mut pieces = Pieces { files: files.iter(), open: None };
    let mut done = 0;
    std::thread::scope(|scope| {
        let (workers, handles): (Vec<_>, Vec<_>) = (0..threads).map(|_| worker(scope, splitter)).unzip();
        let outcome = in_order(&workers, &mut pieces, |counts, bytes| {
            sum.add(counts);
            done += bytes;
            progress(Progress { stage: "counting words", done, total: total.max(done) });
        });
        drop(workers);
        // A worker that panicked has been missed already.
        handles.into_iter().for_each(|handle| drop(handle.join()));
        outcome
    })?;
    let mut words: Vec<(String, u64)> = sum.words.into_iter().collect();
    words.sort_unstable();
    Ok(Counted { words, dropped: sum.dropped })
}

/// Takes pieces and gives their counts, one after the other.
struct Worker {
    pieces: SyncSender<Vec<String>>,
    counts: Receiver<Result<HashMap<String, u64>, Error>>,
}

fn worker<'s>(scope: &'s Scope<'s, '_>, splitter: &'s Json) -> (Worker, ScopedJoinHandle<'s, ()>) {
    let (pieces, given) = sync_channel::<Vec<String>>(AHEAD);
    let (found, counts) = sync_channel(AHEAD);
    let handle = scope.spawn(move || {
        let mut all = given.iter().map(|lines| words(splitter, &lines));
        while all.next().is_some_and(|counts| found.send(counts).is_ok()) {}
    });
    (Worker { pieces, counts }, handle)
}

/// Has all pieces counted in turn; `add(counts, bytes)` sees them in their order, whatever the number of workers.
fn in_order(
    workers: &[Worker],
    pieces: &mut Pieces<'_>,
    mut add: impl FnMut(HashMap<String, u64>, u64),
) -> Result<(), Error> {
    let lost = || Error::training("counting words failed");
    let mut sizes = VecDeque::new();
    let (mut sent, mut received) = (0, 0);
    loop {
        let piece = pieces.next()?;
        let is_last = piece.is_none();
        if let Some(lines) = piece {
            sizes.push_back(lines.iter().map(|line| line.len() as u64).sum());
            workers[sent % workers.len()].pieces.send(lines).map_err(|_| lost())?;
            sent += 1;
        }
        while sent - received >= if is_last { 1 } else { AHEAD * workers.len() } {
            let counts = workers[received % workers.len()].counts.recv().map_err(|_| lost())??;
            add(counts, sizes.pop_front().unwrap_or_default());
            received += 1;
        }
        if is_last {
            return Ok(());
        }
    }
}

fn words(splitter: &Json, lines: &[String]) -> Result<HashMap<String, u64>, Error> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for line in lines {
        splitter.each_split(line, |word| match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                counts.insert(word.to_string(), 1);
            }
        })?;
    }
    Ok(counts)
}

/// Counts so far.
struct Sum {
    words: HashMap<String, u64>,
    max_words: usize,
    /// Words up to this count have been dropped before.
    floor: u64,
    dropped: u64,
}

impl Sum {
    /// Adds the counts of one piece; drops the rarest words where there are too many.
    fn add(&mut self, counts: HashMap<String, u64>) {
        for (word, count) in counts {
            *self.words.entry(word).or_default() += count;
        }
        while self.words.len() > self.max_words {
            self.floor += 1;
            let (floor, dropped) = (self.floor, &mut self.dropped);
            self.words.retain(|_, count| {
                let kept = *count > floor;
                *dropped += if kept { 0 } else { *count };
                kept
            });
        }
    }
}

/// Lines of files in pieces.
struct Pieces<'f> {
    files: std::slice::Iter<'f, PathBuf>,
    open: Option<(&'f Path, BufReader<File>, u64)>,
}

impl Pieces<'_> {
    fn next(&mut self) -> Result<Option<Vec<String>>, Error> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while bytes < PIECE {
            let Some((path, file, at)) = &mut self.open else {
                let Some(path) = self.files.next() else { break };
                let file = File::open(path).map_err(|error| Error::io(path, &error))?;
                self.open = Some((path, BufReader::with_capacity(PIECE, file), 0));
                continue;
            };
            let mut line = Vec::new();
            let read = file.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            let read = read.map_err(|error| Error::io(path, &error))? as u64;
            if read == MAX_LINE && !line.ends_with(b"\n") {
                return Err(
                    Error::training(format!("the line at byte {at} is longer than {MAX_LINE} bytes")).in_file(path)
                );
            }
            if read == 0 {
                self.open = None;
                continue;
            }
            let line = String::from_utf8(line).map_err(|error| {
                let at = *at + error.utf8_error().valid_up_to() as u64;
                Error::training(format!("byte {at} is not UTF-8")).in_file(path)
            })?;
            *at += read;
            bytes += line.len();
            lines.push(line);
        }
        Ok((!lines.is_empty()).then_some(lines))
    }
}
