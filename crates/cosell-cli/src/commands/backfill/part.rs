//! What a run has read so far, in a file beside the plan: a head, then a note a line.

use std::{
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
};

use cosell_sync::{
    backfill::{Backfill, Note, Notes, Question},
    ports::{PortError, PortResult},
};
use serde_json::{Value as Json, json};

use super::{BackfillError, beside, private};

/// The form of these files; another release's are not read.
const VERSION: u8 = 1;

pub struct PartFile {
    path: PathBuf,
    file: File,
}

impl PartFile {
    /// Opens the file of a plan and reads what an earlier run has left there.
    pub fn open(
        plan: &Path,
        backfill: &Backfill,
        question: &Question,
        fresh: bool,
    ) -> Result<(Self, Notes), BackfillError> {
        let path = beside(plan, ".part");
        let mut mapping = DefaultHasher::new();
        format!("{:?}", backfill.mapping.opportunity).hash(&mut mapping);
        let head = json!({
            "version": VERSION, "catalog": backfill.catalog, "mapping": mapping.finish(), "fields": question.fields(),
        });
        let unreadable = |cause| BackfillError::Unreadable(path.clone(), cause);
        let unwritable = |cause| BackfillError::Unwritable(path.clone(), cause);
        let mut notes = Notes::default();
        let text = match fs::read_to_string(&path) {
            Ok(text) if !fresh => text,
            Err(error) if error.kind() != io::ErrorKind::NotFound && !fresh => return Err(unreadable(error)),
            _ => String::new(),
        };
        // A line without its end is one that a run died over.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = text[..whole].lines().zip(1..);
        let Some((first, _)) = lines.next() else {
            let mut file = private(&path).map_err(unwritable)?;
            writeln!(file, "{head}").map_err(unwritable)?;
            return Ok((Self { path, file }, notes));
        };
        if serde_json::from_str::<Json>(first).ok() != Some(head) {
            return Err(BackfillError::Other(path));
        }
        for (text, line) in lines {
            notes
                .extend([serde_json::from_str(text).map_err(|_| BackfillError::Damaged { path: path.clone(), line })?]);
        }
        let file = OpenOptions::new().append(true).open(&path).map_err(unwritable)?;
        file.set_len(whole as u64).map_err(unwritable)?;
        let (aws, crm) = notes.counts();
        eprintln!("an earlier run has read {aws} record(s) of AWS's and {crm} of the CRM's");
        Ok((Self { path, file }, notes))
    }

    /// Keeps a page.
    pub fn keep(&mut self, page: &[Note]) -> PortResult<()> {
        let lines = || {
            let mut lines = Vec::new();
            for note in page {
                serde_json::to_writer(&mut lines, note)?;
                lines.push(b'\n');
            }
            Ok(lines)
        };
        let kept =
            lines().map_err(|error: serde_json::Error| error.into()).and_then(|lines| self.file.write_all(&lines));
        kept.map_err(|cause| PortError::Unavailable {
            what: format!("writing {}", self.path.display()),
            cause: Some(Box::new(cause)),
        })
    }

    /// Removes it: the plan has it all.
    pub fn remove(self) -> Result<(), BackfillError> {
        fs::remove_file(&self.path).map_err(|cause| BackfillError::Unwritable(self.path, cause))
    }
}
