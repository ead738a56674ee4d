//! Nesting is bounded before it is read.

formwork::transformer! {
    struct Deep;
    toml = (((((((((((((((((((((((((((((((((((((((("")))))))))))))))))))))))))))))))))))))))),
}

fn main() {}
