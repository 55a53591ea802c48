use std::future::Future;

use crate::Disposition;

/// What a function does with a message, in two steps: all messages of a batch are looked at before any is settled, so that
/// what goes to the CRM goes there together.
pub trait Work {
    /// What the first step finds.
    type Seen;

    /// What a message is about. Messages of a batch about one subject are worked off once, and each ends as that one did.
    fn subject(&self, body: &str) -> Option<String>;
    /// Looks at a message's body, or says how it ends.
    fn look(&self, body: String) -> impl Future<Output = Result<Self::Seen, Disposition>>;
    /// Does what is to be done.
    fn settle(&self, seen: Self::Seen) -> impl Future<Output = Disposition>;
}

/// Each message is about itself, and there is nothing to look at beforehand.
impl<H, F> Work for H
where
    H: Fn(String) -> F,
    F: Future<Output = Disposition>,
{
    type Seen = String;

    fn subject(&self, _: &str) -> Option<String> {
        None
    }

    async fn look(&self, body: String) -> Result<String, Disposition> {
        Ok(body)
    }

    async fn settle(&self, body: String) -> Disposition {
        self(body).await
    }
}
