//! A conversation with a model, written by the template of its folder.

use crate::error::Result;
use crate::folder::Folder;
use crate::template::{Message, Template};

/// What was said so far.
#[derive(Clone, Debug)]
pub struct Chat {
    template: Template,
    messages: Vec<Message>,
}

impl Chat {
    /// Nothing yet, but for what the system is told.
    ///
    /// # Errors
    /// As [`Template::of`].
    pub fn new(folder: &Folder, system: Option<&str>) -> Result<Self> {
        let mut chat = Self { template: Template::of(folder)?, messages: Vec::new() };
        if let Some(system) = system {
            chat.add("system", system);
        }
        Ok(chat)
    }

    /// What was said so far, the first turn first.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Adds what the user says; gives the text that the model continues with its answer.
    ///
    /// # Errors
    /// As [`Template::render`]; the user has said nothing then.
    pub fn ask(&mut self, text: &str) -> Result<String> {
        self.add("user", text);
        let prompt = self.template.render(&self.messages);
        if prompt.is_err() {
            self.messages.pop();
        }
        prompt
    }

    /// Adds what the model has answered.
    pub fn answered(&mut self, text: &str) {
        self.add("assistant", text);
    }

    fn add(&mut self, role: &str, content: &str) {
        self.messages.push(Message { role: role.into(), content: content.into() });
    }
}
