use cosell_mapping::{ObjectMapping, Plan, Side};
use cosell_model::{
    Field, Kind, Record, Value, Wire,
    life_cycle::{Acceptance, Access, Standing},
    normalize::normalize,
    validate::{Operation, validate},
};

use super::{Case, Deliver, checked_for, held_back, in_crm_words};
use crate::{Disposition, Link, Shipment, SkipReason, Stage, SyncError, converge::Report, link::members, log::Open};

impl Deliver {
    /// Puts what the rep changed where the next file is made of. AWS is not asked what it has: a file names what changes and
    /// leaves the rest, and what AWS last sent is what it has.
    pub(super) async fn by_file(&self, case: &mut Case<'_>) -> Result<Disposition, SyncError> {
        let converger = &self.from_aws.converger;
        let kind = case.object.kind;
        if case.link.in_file().is_some() {
            // The answer to the file looks at the record again.
            return Ok(Disposition::Skip(SkipReason::HeldBack));
        }
        let is_new = case.link.of_kind(kind).is_none();
        if is_new && !case.object.wants_share(&case.crm.fields) {
            return Ok(Disposition::Skip(SkipReason::NotShared));
        }
        let wire = Wire::File(converger.mapping.files.payload);
        let aws = case.link.at_aws(kind);
        let standing = Standing::of(&aws);
        let plan = case.link.edits(case.object, &aws, &case.ours);
        let Going { changes, later, never } =
            if is_new { Going::whole(&plan, kind, wire) } else { Going::open(&plan, kind, standing, wire) };
        let message = match standing.acceptance {
            Some(Acceptance::Pending) if !later.is_empty() => Some(
                "AWS takes the answer to the referral first: what else changed goes after its acceptance.".to_owned(),
            ),
            _ => held_back(&later, &never),
        };
        let held = message.is_some();
        let open = (!later.is_empty()).then_some(Open::Held);
        let report = Report::waiting(later, message.clone());
        if changes.is_empty() {
            self.withdraw(&mut case.link).await?;
            if converger.report(case.object, &case.crm, &report).await? {
                self.log_standing(case, message.as_deref(), open).await?;
            }
            return Ok(Disposition::Skip(if held { SkipReason::HeldBack } else { SkipReason::Unchanged }));
        }

        let mut record = named(case.object, &case.link, &case.crm.id, &aws);
        changes.iter().for_each(|(field, value)| record.set(field, value.clone()));
        normalize(&mut record, wire);
        let operation = if is_new { Operation::Create } else { Operation::Update };
        let checks = cosell_model::validate::Case { wire, ..checked_for(operation, standing, (converger.now)()) };
        let wrong = validate(&record, &checks);
        if !wrong.is_empty() {
            self.withdraw(&mut case.link).await?;
            let why = if is_new { "it is not complete" } else { "some fields are not as AWS takes them" };
            return self.refuse(case, why, in_crm_words(case.object, wrong)).await;
        }
        let record = members(&record);
        let same = case.link.shipment.as_ref().filter(|shipment| shipment.record == record);
        match same.map(|shipment| &shipment.stage) {
            Some(Stage::Waiting) => return Ok(Disposition::Skip(SkipReason::Unchanged)),
            // Our own note of the refusal brings the record here as well.
            Some(Stage::Refused) if !case.again => return Ok(Disposition::Skip(SkipReason::Rejected)),
            _ => {}
        }
        let alone = case.link.shipment.as_ref().is_some_and(|shipment| shipment.alone);
        case.link.sends(&plan, Side::Aws, &changes);
        let since = (converger.now)();
        case.link.shipment = Some(Shipment { record, stage: Stage::Waiting, since, retries: 0, alone });
        converger.ledger.save(&mut case.link).await?;
        if let Some(message) = message
            && converger.report(case.object, &case.crm, &report).await?
        {
            self.log_standing(case, Some(&message), open).await?;
        }
        Ok(Disposition::Done)
    }

    /// Takes back what waits for the next file: the rep has undone it, or made it wrong. What AWS may have taken from an
    /// earlier file stays noted: its value is no edit of AWS's.
    async fn withdraw(&self, link: &mut Link) -> Result<(), SyncError> {
        let Some(shipment) = link.shipment.as_mut().filter(|shipment| shipment.stage == Stage::Waiting) else {
            return Ok(());
        };
        shipment.stage = Stage::Answered;
        Ok(self.from_aws.converger.ledger.save(link).await?)
    }
}

/// What the rep changed, by what becomes of it.
struct Going {
    /// What AWS takes now.
    changes: Record,
    /// What waits for AWS's review, or for the answer to a referral.
    later: Vec<&'static Field>,
    /// What is closed for good.
    never: Vec<&'static Field>,
}

impl Going {
    /// Of a new record everything goes that files have.
    fn whole(plan: &Plan<'_>, kind: Kind, wire: Wire) -> Self {
        let mut changes = Record::new(kind);
        for (line, value) in plan.won_by(Side::Crm).filter(|(line, _)| line.ace.is_writable_on(wire)) {
            changes.set(line.ace, value.clone());
        }
        Self { changes, later: Vec::new(), never: Vec::new() }
    }

    fn open(plan: &Plan<'_>, kind: Kind, standing: Standing, wire: Wire) -> Self {
        let mut going = Self { changes: Record::new(kind), later: Vec::new(), never: Vec::new() };
        for (line, value) in plan.won_by(Side::Crm) {
            match standing.access(kind, line.ace) {
                _ if !line.ace.is_writable_on(wire) => going.never.push(line.ace),
                Access::Open => going.changes.set(line.ace, value.clone()),
                Access::Later => going.later.push(line.ace),
                Access::Never => going.never.push(line.ace),
            }
        }
        going
    }
}

/// A record that is its identifiers, and of a lead what AWS wants each time.
fn named(object: &ObjectMapping, link: &Link, crm_id: &str, aws: &Record) -> Record {
    let mut record = Record::new(object.kind);
    let ace_id = link.of_kind(object.kind).map(str::to_owned);
    let ids = [(object.kind.partner_id(), Some(crm_id.to_owned())), ("apnCrmUniqueIdentifier", ace_id)];
    for (key, id) in ids {
        if let (Some(field), Some(id)) = (object.kind.field(key), id) {
            record.set(field, Value::Text(id));
        }
    }
    let always: &[&str] = if object.kind == Kind::Lead { &["status", "currentLeadStage"] } else { &[] };
    for field in always.iter().filter_map(|key| object.kind.field(key)) {
        if let Some(value) = aws.get(field) {
            record.set(field, value.clone());
        }
    }
    record
}
