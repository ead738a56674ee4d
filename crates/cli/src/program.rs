//! The program of a model as the engine of what is done with texts: requests to its standard input, answers from its standard
//! output.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use formwork_runtime::runner::JSON_ERRORS;
use formwork_runtime::{Chosen, Continuation, Error, Next, Output, Result, Score, Texts, Windows};
use formwork_text::{Engine, Facts};
use serde_json::{Value, json};

use crate::args::{Global, MessageFormat};
use crate::problem::Problem;

/// A running program; it ends with its standard input.
pub(crate) struct Program {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// A command of the program, which prints what is wrong as this tool does.
pub(crate) fn command(executable: &Path, name: &str, global: &Global) -> Command {
    let mut command = Command::new(executable);
    if global.message_format == MessageFormat::Json {
        command.arg(JSON_ERRORS);
    }
    command.arg(name);
    command
}

/// What a model's program says of itself.
pub(crate) fn facts(executable: &Path) -> Result<Facts, Problem> {
    let output = Command::new(executable).arg("info").output().map_err(|e| Problem::io(executable, &e))?;
    let facts: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Problem::bug(format!("the model's program does not describe itself: {error}")))?;
    let text = |key: &str| facts[key].as_str().unwrap_or_default().to_string();
    Ok(Facts {
        name: text("name"),
        task: text("task"),
        output: text("output"),
        inputs: facts["inputs"].as_array().into_iter().flatten().filter_map(Value::as_str).map(String::from).collect(),
        generates: facts["generates"] == Value::Bool(true),
        max_positions: facts["max_positions"].as_u64().and_then(|n| usize::try_from(n).ok()),
    })
}

/// Gives a command of the program ids, a line for each row.
pub(crate) fn feed(child: &mut Child, rows: &[Vec<u32>]) {
    let line = |row: &Vec<u32>| row.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let text: Vec<String> = rows.iter().map(line).collect();
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it reads says why on its own.
        let _ = stdin.write_all(text.join("\n").as_bytes());
    }
}

impl Program {
    /// Starts `serve`, a command of the program; its weights are loaded when this returns.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let io = |error: std::io::Error| Error::io("the model's program".as_ref(), &error);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(io)?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(crashed());
        };
        let mut program = Self { child, requests: Some(requests), answers: BufReader::new(answers) };
        program.answer()?;
        Ok(program)
    }

    /// Sends a request and reads the head of its answer.
    pub(crate) fn ask(&mut self, request: &Value) -> Result<Value> {
        let sent =
            self.requests.as_mut().map(|requests| writeln!(requests, "{request}").and_then(|()| requests.flush()));
        match sent {
            Some(Ok(())) => self.answer(),
            _ => Err(crashed()),
        }
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(1..) => {}
            _ => return Err(crashed()),
        }
        let answer: Value = serde_json::from_str(&line).map_err(|_| bug("printed what is no JSON"))?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(told(error)),
        }
    }

    /// The numbers that follow an answer's head.
    fn numbers(&mut self, count: usize) -> Result<Vec<f32>> {
        let mut bytes = vec![0; count.checked_mul(size_of::<f32>()).ok_or_else(|| bug("gave too many numbers"))?];
        self.answers.read_exact(&mut bytes).map_err(|_| crashed())?;
        let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        Ok(bytes.chunks_exact(size_of::<f32>()).map(number).collect())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.child.wait();
    }
}

impl Engine for Program {
    fn read(&mut self, texts: &Texts) -> Result<Vec<Output>> {
        let answer = self.ask(&json!({"read": {"ids": texts.ids, "types": texts.types, "places": texts.places}}))?;
        let mut outputs = Vec::new();
        for head in answer["outputs"].as_array().into_iter().flatten() {
            let (width, count) = (size(&head["width"])?, size(&head["count"])?);
            outputs.push(Output { width, data: self.numbers(count)?, by_token: head["by_token"] == Value::Bool(true) });
        }
        match outputs.len() == texts.ids.len() {
            true => Ok(outputs),
            false => Err(bug("gave another number of outputs")),
        }
    }

    fn begin(&mut self, asked: &Continuation) -> Result<usize> {
        let sampling = asked.sampling;
        let answer = self.ask(&json!({"begin": {
            "prompt": asked.prompt,
            "source": asked.source,
            "count": asked.count,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": sampling.min_p,
            "repetition_penalty": sampling.repetition_penalty,
            "seed": sampling.seed,
            "stop": asked.stop,
            "alternatives": asked.alternatives,
        }}))?;
        size(&answer["reused"])
    }

    fn next_id(&mut self) -> Result<Option<Next>> {
        let answer = self.ask(&json!({"next": null}))?;
        match &answer["next"] {
            Value::Null => Ok(None),
            next => Ok(Some(Next { id: id(&next["id"])?, likelihood: likelihood(&next["likelihood"])? })),
        }
    }

    fn score(&mut self, ids: &[u32], windows: Windows) -> Result<Score> {
        let answer =
            self.ask(&json!({"score": {"ids": ids, "window": windows.window(), "stride": windows.stride()}}))?;
        Ok(Score { nll: number(&answer["nll"])?, tokens: size(&answer["tokens"])? })
    }
}

fn likelihood(told: &Value) -> Result<Option<Chosen>> {
    if told.is_null() {
        return Ok(None);
    }
    let likeliest = told["likeliest"].as_array().into_iter().flatten();
    Ok(Some(Chosen {
        id: id(&told["id"])?,
        logprob: number(&told["logprob"])?,
        likeliest: likeliest.map(|other| Ok((id(&other[0])?, number(&other[1])?))).collect::<Result<_>>()?,
    }))
}

fn id(value: &Value) -> Result<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| bug("gave what is no id"))
}

fn size(value: &Value) -> Result<usize> {
    value.as_u64().and_then(|size| usize::try_from(size).ok()).ok_or_else(|| bug("gave what is no size"))
}

/// A number; JSON writes one that is not finite as null.
fn number(value: &Value) -> Result<f64> {
    match value {
        Value::Null => Ok(f64::NAN),
        value => value.as_f64().ok_or_else(|| bug("gave what is no number")),
    }
}

/// An error of the program, under the code that it has here.
fn told(error: &Value) -> Error {
    let text = |key: &str| error[key].as_str().map(String::from);
    let code = text("code").unwrap_or_default();
    let known = crate::codes::all().into_iter().find(|(name, _)| *name == code).map(|(name, _)| name);
    let exit = error["exit"].as_u64().and_then(|exit| u8::try_from(exit).ok()).unwrap_or(crate::BUG);
    Error { code: known.unwrap_or("internal"), message: text("message").unwrap_or(code), help: text("help"), exit }
}

fn crashed() -> Error {
    bug("has crashed")
}

fn bug(what: &str) -> Error {
    Error { code: "internal", message: format!("the model's program {what}"), help: None, exit: crate::BUG }
}
