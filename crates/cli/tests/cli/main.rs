//! The tool from the outside: exit statuses and outputs.

mod commands;
mod compile;
mod run;
mod support;
