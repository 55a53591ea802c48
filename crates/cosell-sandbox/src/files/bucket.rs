//! The bucket that AWS owns.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Object};
use serde_json::{Value, json};

/// The bucket with its client.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// A file that lies in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lying {
    /// When it was put there, in nanoseconds: files are worked off in this order.
    pub modified: i128,
    /// Its key.
    pub key: String,
}

impl Bucket {
    /// The bucket of this name, which is created unless it is there, with its policy.
    pub async fn ensure(client: Client, name: &str) -> Result<Self, String> {
        let bucket = Self { client, name: name.to_owned() };
        bucket.create().await?;
        let policy = policy(name).to_string();
        bucket
            .client
            .put_bucket_policy()
            .bucket(name)
            .policy(policy)
            .send()
            .await
            .map_err(|error| format!("cannot put the policy of bucket {name}: {}", DisplayErrorContext(error)))?;
        Ok(bucket)
    }

    async fn create(&self) -> Result<(), String> {
        let Self { client, name } = self;
        match client.head_bucket().bucket(name).send().await {
            Ok(_) => return Ok(()),
            Err(error) if error.as_service_error().is_some_and(HeadBucketError::is_not_found) => {}
            Err(error) => return Err(format!("cannot look at bucket {name}: {}", DisplayErrorContext(error))),
        }
        let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::UsWest2).build();
        let created = client.create_bucket().bucket(name).create_bucket_configuration(place).send().await;
        match created {
            Ok(_) => Ok(()),
            // Somebody else was faster.
            Err(error) if error.as_service_error().is_some_and(CreateBucketError::is_bucket_already_owned_by_you) => {
                Ok(())
            }
            Err(error) => Err(format!("cannot create bucket {name}: {}", DisplayErrorContext(error))),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every file below a prefix.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Lying>, String> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| format!("cannot list {prefix}: {}", DisplayErrorContext(error)))?;
            found.extend(page.contents.unwrap_or_default().into_iter().filter_map(lying));
        }
        Ok(found)
    }

    /// A file's content.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        let answer = Box::pin(self.client.get_object().bucket(&self.name).key(key).send()).await;
        let answer = answer.map_err(|error| format!("cannot get {key}: {}", DisplayErrorContext(error)))?;
        let content = answer.body.collect().await.map_err(|error| format!("cannot read {key}: {error}"))?;
        Ok(content.to_vec())
    }

    /// Puts a file where AWS would.
    pub async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), String> {
        let request = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(content));
        let put = Box::pin(request.send()).await;
        put.map(drop).map_err(|error| format!("cannot put {key}: {}", DisplayErrorContext(error)))
    }

    /// Removes a file.
    pub async fn delete(&self, key: &str) -> Result<(), String> {
        let deleted = Box::pin(self.client.delete_object().bucket(&self.name).key(key).send()).await;
        deleted.map(drop).map_err(|error| format!("cannot delete {key}: {}", DisplayErrorContext(error)))
    }
}

fn lying(object: Object) -> Option<Lying> {
    Some(Lying {
        modified: object.last_modified.as_ref().map_or(0, aws_sdk_s3::primitives::DateTime::as_nanos),
        // A folder that somebody made in a console is an object, too.
        key: object.key.filter(|key| !key.ends_with('/'))?,
    })
}

/// Who puts a file into the folders towards AWS gives the bucket's owner full control of it and has it encrypted.
fn policy(bucket: &str) -> Value {
    let inbound: Vec<String> =
        ["opportunity", "lead"].iter().map(|kind| format!("arn:aws:s3:::{bucket}/{kind}-inbound/*")).collect();
    let deny = |sid: &str, condition: Value| {
        json!({
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": inbound,
            "Condition": condition,
        })
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [
            deny("OwnerInControl", json!({"StringNotEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}})),
            deny("Encrypted", json!({"Null": {"s3:x-amz-server-side-encryption": "true"}})),
        ],
    })
}
