//! Learning merges: the most frequent pair of neighbours becomes a token, again and again.
//!
//! Of equally frequent pairs the one with the lower ids comes first. Sennrich, Haddow, Birch 2016,
//! <https://arxiv.org/abs/1508.07909>; for WordPiece the same, tokens inside words having a prefix.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::{Progress, Training};
use crate::{Error, Kind};

/// Two tokens side by side.
type Pair = (u32, u32);

/// Tokens by id, and merges in the order in which they were learnt.
pub(super) struct Learnt {
    pub(super) tokens: Vec<String>,
    pub(super) merges: Vec<Pair>,
}

/// Tokens and their ids.
struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
}

/// Words in the middle of being merged.
struct State {
    words: Vec<(Vec<u32>, i64)>,
    counts: HashMap<Pair, i64>,
    /// Words that a pair is, or once was, a part of.
    places: HashMap<Pair, Vec<u32>>,
    queue: BinaryHeap<(i64, Reverse<Pair>)>,
}

pub(super) fn learn(
    training: &Training,
    special: &[String],
    words: &[(String, u64)],
    progress: &mut dyn FnMut(Progress),
) -> Result<Learnt, Error> {
    let prefix = if training.kind == Kind::WordPiece { "##" } else { "" };
    let mut vocabulary = Vocabulary::new(special);
    let alphabet = alphabet(training, words);
    for c in &alphabet {
        vocabulary.id(&c.to_string());
    }
    let mut state = State::new(&mut vocabulary, &alphabet, prefix, words);
    let (needed, size) = (vocabulary.tokens.len(), training.vocab_size);
    if needed > size {
        let message = format!("{size} tokens have no room for {needed} special tokens and single characters");
        return Err(Error::training(message));
    }
    let mut merges = Vec::new();
    let least = i64::try_from(training.min_count.max(1)).unwrap_or(i64::MAX);
    while vocabulary.tokens.len() < size {
        let Some(pair) = state.most_frequent(least) else { break };
        let (left, right) = (&vocabulary.tokens[pair.0 as usize], &vocabulary.tokens[pair.1 as usize]);
        let made = format!("{left}{}", right.strip_prefix(prefix).unwrap_or(right));
        let id = vocabulary.id(&made);
        state.merge(pair, id);
        merges.push(pair);
        if merges.len() % 64 == 0 || vocabulary.tokens.len() == size {
            let (done, total) = (vocabulary.tokens.len() - needed, size - needed);
            progress(Progress { stage: "merging", done: done as u64, total: total as u64 });
        }
    }
    Ok(Learnt { tokens: vocabulary.tokens, merges })
}

/// The characters that get a token, in order.
fn alphabet(training: &Training, words: &[(String, u64)]) -> Vec<char> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    if training.kind == Kind::ByteLevelBpe {
        counts.extend(tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().map(|c| (c, u64::MAX)));
    }
    for (word, count) in words {
        for c in word.chars() {
            let of_char = counts.entry(c).or_default();
            *of_char = of_char.saturating_add(*count);
        }
    }
    let mut kept: Vec<(char, u64)> = counts.into_iter().collect();
    if let Some(limit) = training.alphabet.filter(|limit| *limit < kept.len()) {
        kept.sort_by_key(|(c, count)| (Reverse(*count), *c));
        kept.truncate(limit);
        kept.sort_unstable();
    }
    kept.into_iter().map(|(c, _)| c).collect()
}

impl Vocabulary {
    fn new(special: &[String]) -> Self {
        let mut vocabulary = Self { tokens: Vec::new(), ids: HashMap::new() };
        for token in special {
            vocabulary.id(token);
        }
        vocabulary
    }

    /// The id of a token, which is new if there is none yet.
    fn id(&mut self, token: &str) -> u32 {
        if let Some(id) = self.ids.get(token) {
            return *id;
        }
        let id = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX);
        self.tokens.push(token.to_string());
        self.ids.insert(token.to_string(), id);
        id
    }
}

impl State {
    fn new(vocabulary: &mut Vocabulary, alphabet: &[char], prefix: &str, words: &[(String, u64)]) -> Self {
        let mut state =
            Self { words: Vec::new(), counts: HashMap::new(), places: HashMap::new(), queue: BinaryHeap::new() };
        for (word, count) in words {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            let mut part = Vec::new();
            for (at, c) in word.chars().enumerate() {
                // A word is cut where a character has no token.
                if alphabet.binary_search(&c).is_err() {
                    state.words.push((std::mem::take(&mut part), count));
                    continue;
                }
                let inside = if at > 0 { prefix } else { "" };
                part.push(vocabulary.id(&format!("{inside}{c}")));
            }
            state.words.push((part, count));
        }
        state.words.retain(|(part, _)| part.len() > 1);
        for (at, (part, count)) in (0..).zip(&state.words) {
            for pair in part.windows(2).map(|it| (it[0], it[1])) {
                *state.counts.entry(pair).or_default() += count;
                let places = state.places.entry(pair).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            }
        }
        state.queue = state.counts.iter().map(|(pair, count)| (*count, Reverse(*pair))).collect();
        state
    }

    /// The most frequent pair, unless it is rarer than `least`. Counts in the queue may be of yesterday.
    fn most_frequent(&mut self, least: i64) -> Option<Pair> {
        loop {
            let (count, Reverse(pair)) = self.queue.pop()?;
            let now = self.counts.get(&pair).copied().unwrap_or_default();
            if count == now {
                return (count >= least).then_some(pair);
            }
            if now > 0 && now < count {
                self.queue.push((now, Reverse(pair)));
            }
        }
    }

    /// Makes a pair one token wherever it stands.
    fn merge(&mut self, pair: Pair, id: u32) {
        let mut changed: Vec<Pair> = Vec::new();
        for at in self.places.remove(&pair).unwrap_or_default() {
            let (word, count) = &mut self.words[at as usize];
            let mut change = |pair: Pair, by: i64| {
                *self.counts.entry(pair).or_default() += by * *count;
                if by > 0 {
                    let places = self.places.entry(pair).or_default();
                    if places.last() != Some(&at) {
                        places.push(at);
                    }
                    changed.push(pair);
                }
            };
            let mut i = 0;
            while i + 1 < word.len() {
                if (word[i], word[i + 1]) == pair {
                    if i > 0 {
                        change((word[i - 1], pair.0), -1);
                        change((word[i - 1], id), 1);
                    }
                    if let Some(next) = word.get(i + 2).copied() {
                        change((pair.1, next), -1);
                        change((id, next), 1);
                    }
                    word[i] = id;
                    word.remove(i + 1);
                }
                i += 1;
            }
        }
        self.counts.remove(&pair);
        changed.sort_unstable();
        changed.dedup();
        for pair in changed {
            let count = self.counts.get(&pair).copied().unwrap_or_default();
            if count > 0 {
                self.queue.push((count, Reverse(pair)));
            }
        }
    }
}
