//! AWS's half of the file exchange: the bucket that AWS owns.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

/// Creates the bucket unless it is there.
pub async fn ensure_bucket(client: &Client, bucket: &str) -> Result<(), String> {
    match client.head_bucket().bucket(bucket).send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.as_service_error().is_some_and(HeadBucketError::is_not_found) => {}
        Err(error) => return Err(format!("cannot look at bucket {bucket}: {}", DisplayErrorContext(error))),
    }
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::UsWest2).build();
    let created = client.create_bucket().bucket(bucket).create_bucket_configuration(place).send().await;
    match created {
        Ok(_) => Ok(()),
        // Somebody else was faster.
        Err(error) if error.as_service_error().is_some_and(CreateBucketError::is_bucket_already_owned_by_you) => Ok(()),
        Err(error) => Err(format!("cannot create bucket {bucket}: {}", DisplayErrorContext(error))),
    }
}

/// Puts a file where AWS would.
pub async fn drop_file(client: &Client, bucket: &str, key: &str, content: Vec<u8>) -> Result<(), String> {
    client
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(ByteStream::from(content))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| format!("cannot put {key} into {bucket}: {}", DisplayErrorContext(error)))
}
