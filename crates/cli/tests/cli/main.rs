//! The tool from the outside: exit statuses and outputs.

mod commands;
mod compile;
mod generated;
mod run;
mod support;
mod texts;
mod tokenizer;
