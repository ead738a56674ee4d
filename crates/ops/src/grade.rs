//! How near matrices are to be kept to their originals, and the formats that this asks for.

/// How near a matrix is to be kept to its original where a format of weights has fewer bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grade {
    /// As the format keeps most matrices.
    #[default]
    Plain,
    /// Nearer, in a format that tells matrices apart.
    Fine,
    /// Nearer in every format of few bits.
    Finest,
    /// As the checkpoint has it.
    Exact,
}

impl Grade {
    /// Its name, and that of the weights' method which asks for it; none where nothing has to be asked for.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Fine => Some("fine"),
            Self::Finest => Some("finest"),
            Self::Exact => Some("exact"),
        }
    }
}

/// A format of weights: how matrices of each grade are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    name: &'static str,
    /// The formats of plain matrices, of fine ones and of the finest.
    formats: [&'static str; 3],
}

impl Mix {
    /// Every mix, the most exact first.
    pub const ALL: [Self; 8] = [
        Self::of("f32"),
        Self::of("bf16"),
        Self::of("f16"),
        Self::of("q8"),
        Self::of("q6"),
        Self { name: "q4m", formats: ["q4z", "q6", "q6"] },
        Self { name: "q4z", formats: ["q4z", "q4z", "q8"] },
        Self { name: "q4", formats: ["q4", "q4", "q8"] },
    ];

    const fn of(format: &'static str) -> Self {
        Self { name: format, formats: [format; 3] }
    }

    /// The mix of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mix| mix.name == name)
    }

    /// Its name on command lines and in reports.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The name of the format of matrices of a grade; none for those that stay as they are stored.
    pub fn format(self, grade: Grade) -> Option<&'static str> {
        let [plain, fine, finest] = self.formats;
        match grade {
            Grade::Plain => Some(plain),
            Grade::Fine => Some(fine),
            Grade::Finest => Some(finest),
            Grade::Exact => None,
        }
    }
}
