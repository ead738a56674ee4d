//! Texts that end a generation, found in pieces as they come.

/// Holds back what may be the beginning of a stop text.
#[derive(Clone, Debug)]
pub struct Stops {
    texts: Vec<String>,
    held: String,
}

impl Stops {
    /// Nothing held back yet.
    pub fn new(texts: &[String]) -> Self {
        Self { texts: texts.to_vec(), held: String::new() }
    }

    /// What can be shown after another piece, and whether a stop text was found: what stands before it is shown then.
    pub fn push(&mut self, piece: &str) -> (String, bool) {
        self.held.push_str(piece);
        let texts = || self.texts.iter().filter(|text| !text.is_empty());
        if let Some(at) = texts().filter_map(|text| self.held.find(text.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let begins = |at: &usize| texts().any(|text| text.starts_with(&self.held[*at..]));
        let keep = self.held.char_indices().map(|(at, _)| at).find(begins).unwrap_or(self.held.len());
        let rest = self.held.split_off(keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back when the text ends by itself.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::Stops;

    fn shown(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let texts: Vec<String> = stops.iter().map(ToString::to_string).collect();
        let mut stops = Stops::new(&texts);
        let mut all = String::new();
        for piece in pieces {
            let (text, found) = stops.push(piece);
            all += &text;
            if found {
                return (all, true);
            }
        }
        (all + &stops.finish(), false)
    }

    #[test]
    fn a_stop_text_is_found_across_pieces_and_never_shown() {
        assert_eq!(shown(&["</s>"], &["one <", "/", "s> two"]), ("one ".to_string(), true));
        assert_eq!(shown(&["End", "one"], &["No", " one. En", "d"]), ("No ".to_string(), true));
        assert_eq!(shown(&["aab"], &["a", "a", "a", "b", "c"]), ("a".to_string(), true));
    }

    #[test]
    fn what_only_begins_like_one_is_shown() {
        assert_eq!(shown(&["</s>"], &["one </", "b>"]), ("one </b>".to_string(), false));
        assert_eq!(shown(&["é!"], &["caf", "é"]), ("café".to_string(), false));
        assert_eq!(shown(&[""], &["all"]), ("all".to_string(), false));
    }
}
