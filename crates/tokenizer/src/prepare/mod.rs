//! A corpus as rows of token ids, for pre-training.
//!
//! Documents are encoded one by one, a separator is put after each, and what comes out is cut into rows of one length that
//! cross the borders of documents, so that no place is lost to padding (Raffel et al. 2020, arXiv:1910.10683, section 3.1).
//! The same files and options give the same bytes, whatever the number of threads.

mod corpus;
mod documents;
mod file;

use std::path::{Path, PathBuf};

pub use corpus::Corpus;
use documents::Reader;
use file::RowFile;

use crate::{Encoding, Error, Progress, Tokenizer};

/// Characters of documents that are encoded before their ids are written.
const BATCH: usize = 1 << 22;

/// What of a file is a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Documents {
    /// The whole file.
    Files,
    /// Each line that is not empty.
    Lines,
    /// The `text` of each line, a JSON object.
    JsonLines,
}

/// How a corpus is prepared.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Ids of a row.
    pub length: usize,
    /// The id after each document.
    pub separator: u32,
    /// What of a file is a document.
    pub documents: Documents,
    /// The share of documents that go to the validation set, from 0 to 1.
    pub validation: f64,
    /// Decides which documents those are.
    pub seed: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Documents that its rows come from.
    pub documents: u64,
    /// Rows.
    pub rows: u64,
    /// Ids after the last whole row, which are left out.
    pub rest: usize,
}

/// What became of a corpus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The training set.
    pub train: Part,
    /// The validation set.
    pub validation: Part,
    /// Places without a token, which became the unknown token.
    pub unknown: u64,
}

impl Preparation {
    /// The file of the training set in the output folder.
    pub const TRAIN: &'static str = "train.tokens";
    /// The file of the validation set in the output folder.
    pub const VALIDATION: &'static str = "validation.tokens";

    /// Writes the sets to a folder, which is made if it is not there, in place of earlier ones. Text that looks like a special token is encoded as the
    /// text that it is. Nothing is left behind on failure.
    ///
    /// # Errors
    /// `bad-corpus` for a text that is not UTF-8 or a set without a whole row, `no-token`, `io`.
    pub fn run(
        &self,
        tokenizer: &mut Tokenizer,
        files: &[PathBuf],
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Prepared, Error> {
        self.check(tokenizer)?;
        tokenizer.treat_special_as_text();
        tokenizer.truncate(None)?;
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, &error))?;
        let limit = tokenizer.id_limit();
        let mut train = RowFile::create(&folder.join(Self::TRAIN), self.length, limit)?;
        let mut validation = match self.validation > 0.0 {
            true => Some(RowFile::create(&folder.join(Self::VALIDATION), self.length, limit)?),
            false => None,
        };
        let mut prepared = Prepared::default();
        let mut reader = Reader::new(files, self.documents)?;
        let mut index = 0;
        loop {
            let batch = reader.batch(BATCH)?;
            if batch.is_empty() {
                break;
            }
            for encoding in encode_all(tokenizer, &batch) {
                let encoding = encoding?;
                prepared.unknown += encoding.unknown.len() as u64;
                let held_out = validation.as_mut().filter(|_| share(self.seed, index) < self.validation);
                held_out.unwrap_or(&mut train).push(&encoding.ids, self.separator)?;
                index += 1;
            }
            progress(Progress { stage: "encoding", done: reader.done(), total: reader.total() });
        }
        prepared.train = train.part("training")?;
        prepared.validation = validation.as_ref().map(|set| set.part("validation")).transpose()?.unwrap_or_default();
        train.finish()?;
        validation.as_mut().map_or(Ok(()), RowFile::finish)?;
        match validation {
            Some(set) => set.publish()?,
            None => forget(&folder.join(Self::VALIDATION))?,
        }
        train.publish()?;
        Ok(prepared)
    }

    fn check(&self, tokenizer: &Tokenizer) -> Result<(), Error> {
        if self.length < 2 {
            return Err(Error::corpus(format!("rows of {} ids teach nothing; a row needs at least 2", self.length)));
        }
        if !(0.0..1.0).contains(&self.validation) {
            return Err(Error::corpus(format!(
                "{} is no share from 0 to 1 that leaves something to learn",
                self.validation
            )));
        }
        match tokenizer.token(self.separator) {
            Some(_) => Ok(()),
            None => Err(Error::corpus(format!("the separator {} is no id of the tokenizer", self.separator))),
        }
    }
}

/// Removes the set of an earlier run, whose documents may be in the new training set.
fn forget(set: &Path) -> Result<(), Error> {
    match std::fs::remove_file(set) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(set, &error)),
        _ => Ok(()),
    }
}

/// The documents' tokens, in their order, computed on all processors.
fn encode_all(tokenizer: &Tokenizer, texts: &[String]) -> Vec<Result<Encoding, Error>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let piece = texts.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let work = |texts: &[String]| texts.iter().map(|text| tokenizer.tokens(text, false)).collect::<Vec<_>>();
        let running: Vec<_> = texts.chunks(piece).map(|texts| scope.spawn(move || work(texts))).collect();
        let lost = || vec![Err(Error::corpus("encoding failed"))];
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|_| lost())).collect()
    })
}

/// A number from 0 to 1 for a document: the mixing function of SplitMix64 (Steele et al. 2014, doi:10.1145/2714064.2660195).
fn share(seed: u64, index: u64) -> f64 {
    let mut x = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
