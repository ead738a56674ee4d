//! What tokenizers give, and how they refuse.

mod behaviour;
mod broken;
mod explain;
mod gguf;
mod hostile;
mod keys;
mod loaders;
mod prepare;
mod reference;
mod support;
mod training;
