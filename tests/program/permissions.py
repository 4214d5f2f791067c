"""The permissions of each function: actions, each with its resources."""

from __future__ import annotations

FUNCTIONS = {
    "PlaceOrder": {
        "sns:Publish": ["arn:Topic.OrderTopic"],
        "dynamodb:PutItem": ["arn:Table.IdempotencyKeys"],
        "secretsmanager:GetSecretValue": ["arn:Secret.TrackingKeys"],
    },
    "OrderProcessor": {
        "sqs:ReceiveMessage": ["arn:Queue.OrderQueue"],
        "sqs:DeleteMessage": ["arn:Queue.OrderQueue"],
        "sqs:GetQueueAttributes": ["arn:Queue.OrderQueue"],
        "sqs:ChangeMessageVisibility": ["arn:Queue.OrderQueue"],
        "secretsmanager:GetSecretValue": ["arn:Secret.CafeDevDBSM"],
        "dynamodb:BatchWriteItem": ["arn:Table.Orders"],
        "dynamodb:PutItem": ["arn:Table.Orders"],
        "dynamodb:BatchGetItem": ["arn:Table.Orders"],
        "dynamodb:UpdateItem": ["arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"],
        "dynamodb:PartiQLUpdate": ["arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"],
    },
    "GetOrderStatusLambda": {
        # The second one is for the previous release's code, which runs until this deploy replaces it.
        "secretsmanager:GetSecretValue": ["arn:Secret.CafeStatusDBSM", "arn:Secret.CafeDevDBSM"],
        "dynamodb:BatchGetItem": ["arn:Table.CafeOrderMetrics"],
        "sqs:GetQueueAttributes": ["arn:Queue.OrderQueue", "arn:Queue.OrderDLQ"],
    },
    "GetMenu": {"dynamodb:Scan": ["arn:Table.CafeMenu/index/menu"]},
    "StaffOrders": {
        "secretsmanager:GetSecretValue": ["arn:Secret.CafeDevDBSM"],
        "dynamodb:PutItem": ["arn:Table.Orders"],
    },
    # It is public, so it is read-only.
    "PublicOrders": {
        "secretsmanager:GetSecretValue": ["arn:Secret.CafeStatusDBSM", "arn:Secret.TrackingKeys"]
    },
    "ReconcileOrders": {
        "secretsmanager:GetSecretValue": ["arn:Secret.CafeDevDBSM"],
        "dynamodb:BatchWriteItem": ["arn:Table.Orders"],
        "dynamodb:PutItem": ["arn:Table.Orders"],
        "dynamodb:UpdateItem": ["arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"],
        "dynamodb:PartiQLUpdate": ["arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"],
        "dynamodb:BatchGetItem": [
            "arn:Table.Orders",
            "arn:Table.CafeMenu",
            "arn:Table.CafeOrderMetrics",
        ],
        "dynamodb:Scan": ["arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"],
        "sqs:ReceiveMessage": ["arn:Queue.OrderDLQ"],
        "sqs:DeleteMessage": ["arn:Queue.OrderDLQ"],
        "sqs:ChangeMessageVisibility": ["arn:Queue.OrderDLQ"],
        "sqs:GetQueueAttributes": ["arn:Queue.OrderDLQ"],
    },
    # It cannot read the copies that it writes.
    "BackupOrders": {
        "secretsmanager:GetSecretValue": ["arn:Secret.CafeStatusDBSM"],
        "s3:ListBucket": ["arn:Bucket.orders-backup"],
        "s3:PutObject": ["arn:Bucket.orders-backup/*"],
        "s3:AbortMultipartUpload": ["arn:Bucket.orders-backup/*"],
    },
    "EraseOrders": {
        "secretsmanager:GetSecretValue": ["arn:Secret.CafeDevDBSM"],
        "dynamodb:BatchGetItem": ["arn:Table.Orders"],
        "dynamodb:PutItem": ["arn:Table.Orders"],
        "dynamodb:Scan": ["arn:Table.ErasedOrders"],
        "dynamodb:BatchWriteItem": ["arn:Table.ErasedOrders"],
    },
    "MigrateDatabase": {
        "secretsmanager:GetSecretValue": [
            "arn:Secret.CafeDevDBSM",
            "arn:Secret.CafeStatusDBSM",
            "arn:master:Instance.cafe-db",
        ],
        "dynamodb:UpdateItem": ["arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"],
        "dynamodb:PartiQLUpdate": ["arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"],
    },
}
