//! A person's own editor.

use std::{
    env, fs,
    io::{self, IsTerminal, Read, Write},
    path::PathBuf,
    process,
};

use crate::stack::Error;

/// Why there is no edited text.
#[derive(Debug, thiserror::Error)]
pub enum EditorError {
    /// Nobody says which editor.
    #[error("set $VISUAL or $EDITOR, or give --file")]
    None,
    /// It ended without success.
    #[error("the editor gave up: nothing was changed")]
    GaveUp,
}

/// A JSON text as somebody wrote it: in a file, on standard input for `-`, or in the editor, which opens it until it passes.
pub fn edited<T, E: std::error::Error + 'static>(
    file: Option<PathBuf>,
    text: &str,
    check: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Error> {
    match file {
        Some(path) if path.as_os_str() == "-" => {
            let mut text = String::new();
            io::stdin().lock().read_to_string(&mut text)?;
            Ok(check(&text)?)
        }
        Some(path) => Ok(check(&fs::read_to_string(path)?)?),
        None => by_editor(text, check),
    }
}

/// Opens a text until it passes, in a file that nobody else can read and that is removed afterwards.
fn by_editor<T, E: std::error::Error + 'static>(text: &str, check: impl Fn(&str) -> Result<T, E>) -> Result<T, Error> {
    let editor = env::var("VISUAL").or_else(|_| env::var("EDITOR")).map_err(|_| EditorError::None)?;
    let pretty = serde_json::from_str::<serde_json::Value>(text).and_then(|json| serde_json::to_string_pretty(&json));
    let mut file = tempfile::Builder::new().prefix("cosell-").suffix(".json").tempfile()?;
    writeln!(file, "{}", pretty.as_deref().unwrap_or(text))?;
    loop {
        // As git does: the variable may hold arguments.
        let mut command = process::Command::new("sh");
        let status = command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file.path()).status()?;
        if !status.success() {
            return Err(EditorError::GaveUp.into());
        }
        match check(&fs::read_to_string(file.path())?) {
            Ok(passed) => return Ok(passed),
            Err(error) if io::stdin().is_terminal() => {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                eprintln!("{error}{cause}. Enter opens it again, Ctrl-C gives up.");
                io::stdin().read_line(&mut String::new())?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
