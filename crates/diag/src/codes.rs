//! Every diagnostic code with the text that `formwork explain CODE` prints.

/// A code and its explanation.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Kebab-case words.
    pub name: &'static str,
    /// What is wrong, why it matters, and how to mend it.
    pub text: &'static str,
}

/// The entry of a code.
pub fn code(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.name == name)
}

macro_rules! codes {
    ($($name:literal: $text:literal,)*) => {
        /// Every code, in alphabetical order.
        pub const CODES: &[Code] = &[$(Code { name: $name, text: $text }),*];
    };
}

codes! {
    "x": "y",
}
