use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    operation::get_object::builders::GetObjectFluentBuilder,
    primitives::ByteStream,
    types::{Object, ObjectCannedAcl, ServerSideEncryption},
};
use cosell_sync::ports::{AceBucket, AceFile, Files, PortError, PortResult};

use crate::errors::{port_error, unavailable};

/// Reads an object to its end.
pub(crate) async fn read(what: String, get: GetObjectFluentBuilder) -> PortResult<Vec<u8>> {
    let object = get.send().await.map_err(|error| port_error(what.as_str(), &error))?;
    let content = object.body.collect().await.map_err(|_| unavailable(what, "the content broke off"))?;
    Ok(content.to_vec())
}

async fn objects(client: &Client, bucket: &str, prefix: &str) -> PortResult<Vec<Object>> {
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
    let mut objects = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| port_error(format!("ListObjectsV2 {prefix}"), &error))?;
        objects.extend(page.contents.unwrap_or_default());
    }
    Ok(objects)
}

async fn delete(client: &Client, bucket: &str, key: &str) -> PortResult<()> {
    let deleted = client.delete_object().bucket(bucket).key(key).send().await;
    deleted.map(drop).map_err(|error| port_error(format!("DeleteObject {key}"), &error))
}

/// Our own bucket.
#[derive(Debug, Clone)]
pub struct S3Files {
    client: Client,
    bucket: String,
}

impl S3Files {
    pub(crate) fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

#[async_trait]
impl Files for S3Files {
    async fn list(&self, prefix: &str) -> PortResult<Vec<String>> {
        let keys = objects(&self.client, &self.bucket, prefix).await?.into_iter().filter_map(|object| object.key);
        Ok(keys.collect())
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(content));
        put.send().await.map(drop).map_err(|error| port_error(format!("PutObject {key}"), &error))
    }

    async fn get(&self, key: &str) -> PortResult<Vec<u8>> {
        read(format!("GetObject {key}"), self.client.get_object().bucket(&self.bucket).key(key)).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        delete(&self.client, &self.bucket, key).await
    }
}

/// AWS's bucket of the file exchange.
#[derive(Debug, Clone)]
pub struct AceS3 {
    client: Client,
    bucket: String,
    kms_key: Option<String>,
}

impl AceS3 {
    pub(crate) fn new(client: Client, bucket: String, kms_key: Option<String>) -> Self {
        Self { client, bucket, kms_key }
    }
}

impl AceS3 {
    /// Whether there is a bucket of this name, as far as we may know.
    pub async fn exists(&self) -> PortResult<bool> {
        let head = self.client.head_bucket().bucket(&self.bucket).send().await;
        match head.map_err(|error| port_error(format!("HeadBucket {}", self.bucket), &error)) {
            Ok(_) => Ok(true),
            Err(PortError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl AceBucket for AceS3 {
    async fn list(&self, folder: &str) -> PortResult<Vec<AceFile>> {
        let files = objects(&self.client, &self.bucket, folder).await?.into_iter().filter_map(|object| {
            Some(AceFile { key: object.key?, version: object.e_tag?.trim_matches('"').to_owned() })
        });
        // A key that ends in a slash is a folder that somebody made by hand.
        Ok(files.filter(|file| !file.key.ends_with('/')).collect())
    }

    async fn get(&self, file: &AceFile) -> PortResult<Vec<u8>> {
        let AceFile { key, version } = file;
        let get = self.client.get_object().bucket(&self.bucket).key(key).if_match(format!("\"{version}\""));
        read(format!("GetObject {key}"), get).await
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        // AWS owns the bucket and must own what is put there; its policy refuses what does not say how it is encrypted.
        let encryption = match self.kms_key {
            Some(_) => ServerSideEncryption::AwsKms,
            None => ServerSideEncryption::Aes256,
        };
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .acl(ObjectCannedAcl::BucketOwnerFullControl)
            .server_side_encryption(encryption)
            .set_ssekms_key_id(self.kms_key.clone())
            .body(ByteStream::from(content));
        put.send().await.map(drop).map_err(|error| port_error(format!("PutObject {key}"), &error))
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        delete(&self.client, &self.bucket, key).await
    }
}

/// A text that the deployment should have put there.
pub(crate) async fn text(client: &Client, bucket: &str, key: &str) -> PortResult<String> {
    let what = format!("GetObject {key}");
    let misfit = |detail: &str| crate::errors::misfit(what.as_str(), detail);
    match read(what.clone(), client.get_object().bucket(bucket).key(key)).await {
        Ok(content) => String::from_utf8(content).map_err(|_| misfit("it is not UTF-8 text")),
        Err(PortError::NotFound { .. }) => Err(misfit("it does not exist")),
        Err(error) => Err(error),
    }
}
