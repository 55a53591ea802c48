//! What stands in the account and how it is set, for whoever checks a deployment. Everything here only looks.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use aws_sdk_dynamodb::types::{PointInTimeRecoveryStatus, TimeToLiveStatus};
use aws_sdk_s3::types::BucketVersioningStatus;
use aws_sdk_scheduler::types::ScheduleState;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef, dyn_dispatch_hint},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use cosell_model::Catalog;
use cosell_sync::ports::{PortError, PortResult};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Aws, Quotas,
    budget::{Budget, Class},
    errors::{misfit, port_error},
    ledger::EXPIRES_AT,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: String,
    /// The user or role.
    pub arn: String,
}

/// A stack as CloudFormation knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployedStack {
    /// `UPDATE_COMPLETE` and the like.
    pub status: String,
    /// What it calls its resources.
    pub outputs: BTreeMap<String, String>,
    /// What it was deployed with.
    pub parameters: BTreeMap<String, String>,
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedResource {
    /// Its name in its own service.
    pub id: Option<String>,
    /// `CREATE_COMPLETE` and the like.
    pub status: String,
}

/// What was used of the quotas within AWS's rolling day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaUse {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// How the ledger's table is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSettings {
    /// Whether what has an end is removed then.
    pub forgets: bool,
    /// Whether it can be restored to the second.
    pub recoverable: bool,
}

/// How a bucket of ours is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSettings {
    /// Whether every version is kept.
    pub versioned: bool,
    /// Whether it is encrypted at rest.
    pub encrypted: bool,
    /// Whether it tells the event bus of new objects.
    pub announces: bool,
}

/// How many messages a queue has, about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Nobody has them.
    pub waiting: u64,
    /// Somebody works on them, or they come again later.
    pub in_flight: u64,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Whether it starts anything.
    pub enabled: bool,
    /// `rate(1 minute)` and the like.
    pub expression: String,
}

/// How far AWS's clock is ahead of ours, by the date of its first answer: that of a refusal too.
#[derive(Clone, Default)]
pub struct AwsClock(Arc<OnceLock<SignedDuration>>);

impl AwsClock {
    /// None before an answer came.
    pub fn ahead(&self) -> Option<SignedDuration> {
        self.0.get().copied()
    }
}

impl fmt::Debug for AwsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsClock")
    }
}

#[dyn_dispatch_hint]
impl Intercept for AwsClock {
    fn name(&self) -> &'static str {
        "AwsClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        if let Some(date) = date.and_then(|date| parser.parse_timestamp(date).ok()) {
            self.0.get_or_init(|| date.duration_since(Timestamp::now()));
        }
        Ok(())
    }
}

impl Aws {
    /// Who we are. What the clock of whoever answers says is noted, also when we are refused: a clock that is wrong is one
    /// reason for it.
    pub async fn caller(&self, clock: &AwsClock) -> PortResult<Caller> {
        const WHAT: &str = "GetCallerIdentity";
        let asked = aws_sdk_sts::Client::new(&self.config).get_caller_identity().customize().interceptor(clock.clone());
        let answer = asked.send().await.map_err(|error| port_error(WHAT, &error))?;
        let both = answer.account.zip(answer.arn).map(|(account, arn)| Caller { account, arn });
        both.ok_or_else(|| misfit(WHAT, "it names nobody"))
    }

    /// A stack. CloudFormation calls a question for one that does not exist [`PortError::Rejected`].
    pub async fn stack(&self, name: &str) -> PortResult<DeployedStack> {
        let what = format!("DescribeStacks {name}");
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        let answer = client.describe_stacks().stack_name(name).send().await;
        let answer = answer.map_err(|error| port_error(what.as_str(), &error))?;
        let stack = answer.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.ok_or_else(|| misfit(what, "it does not exist"))?;
        Ok(DeployedStack {
            status: stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            outputs: pairs(stack.outputs, |output| output.output_key.zip(output.output_value)),
            parameters: pairs(stack.parameters, |parameter| parameter.parameter_key.zip(parameter.parameter_value)),
        })
    }

    /// The resources of a stack, by their names in the template.
    pub async fn stack_resources(&self, name: &str) -> PortResult<BTreeMap<String, DeployedResource>> {
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        let mut pages = client.list_stack_resources().stack_name(name).into_paginator().send();
        let mut resources = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| port_error(format!("ListStackResources {name}"), &error))?;
            resources.extend(pairs(page.stack_resource_summaries, |resource| {
                let status = resource.resource_status?.as_str().to_owned();
                Some((resource.logical_resource_id?, DeployedResource { id: resource.physical_resource_id, status }))
            }));
        }
        Ok(resources)
    }

    /// Whether a catalog of Partner Central answers us, where no stack is yet whose ledger would book the call.
    pub async fn catalog_answers(&self, catalog: Catalog) -> PortResult<()> {
        let what = format!("ListOpportunities of the catalog {catalog}");
        let client = aws_sdk_partnercentralselling::Client::new(&self.config);
        let listed = client.list_opportunities().catalog(catalog.as_str()).max_results(1).send().await;
        listed.map(drop).map_err(|error| port_error(what, &error))
    }

    /// What is booked of the quotas.
    pub async fn quota_use(&self, table: &str, catalog: Catalog, quotas: Quotas) -> PortResult<QuotaUse> {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let budget = Budget::new(client, table.to_owned(), catalog, quotas);
        Ok(QuotaUse { reads: budget.used(Class::Read).await?, writes: budget.used(Class::Write).await? })
    }

    /// How a table is set.
    pub async fn table_settings(&self, table: &str) -> PortResult<TableSettings> {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let (forgets, recoverable) = tokio::join!(
            client.describe_time_to_live().table_name(table).send(),
            client.describe_continuous_backups().table_name(table).send(),
        );
        let forgets = forgets.map_err(|error| port_error(format!("DescribeTimeToLive {table}"), &error))?;
        let recoverable =
            recoverable.map_err(|error| port_error(format!("DescribeContinuousBackups {table}"), &error))?;
        let forgets = forgets.time_to_live_description;
        let recoverable =
            recoverable.continuous_backups_description.and_then(|it| it.point_in_time_recovery_description);
        Ok(TableSettings {
            forgets: forgets.is_some_and(|it| {
                it.attribute_name.as_deref() == Some(EXPIRES_AT)
                    && matches!(it.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
            }),
            recoverable: recoverable
                .is_some_and(|it| it.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled)),
        })
    }

    /// How a bucket of ours is set. [`PortError::NotFound`] when there is none of this name.
    pub async fn bucket_settings(&self, bucket: &str) -> PortResult<BucketSettings> {
        let client = self.s3();
        let head = client.head_bucket().bucket(bucket).send().await;
        head.map_err(|error| port_error(format!("HeadBucket {bucket}"), &error))?;
        let (versioning, encryption, notices) = tokio::join!(
            client.get_bucket_versioning().bucket(bucket).send(),
            client.get_bucket_encryption().bucket(bucket).send(),
            client.get_bucket_notification_configuration().bucket(bucket).send(),
        );
        let versioning = versioning.map_err(|error| port_error(format!("GetBucketVersioning {bucket}"), &error))?;
        let encrypted = match encryption.map_err(|error| port_error(format!("GetBucketEncryption {bucket}"), &error)) {
            Ok(encryption) => encryption.server_side_encryption_configuration.is_some(),
            Err(PortError::NotFound { .. }) => false,
            Err(error) => return Err(error),
        };
        let notices = notices.map_err(|error| port_error(format!("GetBucketNotification {bucket}"), &error))?;
        Ok(BucketSettings {
            versioned: versioning.status == Some(BucketVersioningStatus::Enabled),
            encrypted,
            announces: notices.event_bridge_configuration.is_some(),
        })
    }

    /// How many messages a queue has. How old they are, only CloudWatch knows without taking one.
    pub async fn queue_depth(&self, url: &str) -> PortResult<QueueDepth> {
        const ALL: [QueueAttributeName; 3] = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let asked = self.sqs().get_queue_attributes().queue_url(url).set_attribute_names(Some(ALL.to_vec()));
        let what = || format!("GetQueueAttributes of {}", url.rsplit('/').next().unwrap_or(url));
        let answer = asked.send().await.map_err(|error| port_error(what(), &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name: &QueueAttributeName| attributes.get(name).and_then(|count| count.parse::<u64>().ok());
        let [waiting, later @ ..] = ALL;
        Ok(QueueDepth {
            waiting: count(&waiting).ok_or_else(|| misfit(what(), "it does not say how many there are"))?,
            in_flight: later.iter().filter_map(count).sum(),
        })
    }

    /// A schedule, by its own name. [`PortError::NotFound`] when there is none.
    pub async fn schedule(&self, name: &str) -> PortResult<Schedule> {
        let client = aws_sdk_scheduler::Client::new(&self.config);
        let answer = client.get_schedule().name(name).send().await;
        let answer = answer.map_err(|error| port_error(format!("GetSchedule {name}"), &error))?;
        Ok(Schedule {
            enabled: answer.state == Some(ScheduleState::Enabled),
            expression: answer.schedule_expression.unwrap_or_default(),
        })
    }
}

fn pairs<T, V>(items: Option<Vec<T>>, pair: impl Fn(T) -> Option<(String, V)>) -> BTreeMap<String, V> {
    items.unwrap_or_default().into_iter().filter_map(pair).collect()
}
