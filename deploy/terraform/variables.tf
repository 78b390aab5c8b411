variable "name" {
  description = "What everything is named after; one for each cluster."
  type        = string
  default     = "hasta-la-vista"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,40}$", var.name))
    error_message = "1 to 40 letters, digits, hyphens and underscores."
  }
}

variable "auto_scaling_groups" {
  description = "The Auto Scaling groups that wait with each termination until the instance is drained."
  type        = set(string)
  default     = []
}

variable "lifecycle_hook_name" {
  description = "The name of the hooks that are answered. Hooks of other names are somebody else's, and would be completed before that somebody is done."
  type        = string
  default     = "hasta-la-vista"

  validation {
    condition     = can(regex("^[A-Za-z0-9/_-]{1,255}$", var.lifecycle_hook_name))
    error_message = "1 to 255 letters, digits, hyphens, underscores and slashes."
  }
}

variable "heartbeat_timeout_seconds" {
  description = "How long an instance waits after the last heartbeat before it goes all the same: with Lambda longer than the queue's visibility timeout of 960 s. No instance waits longer than a hundred times this, or 172800 s."
  type        = number
  default     = 1200

  validation {
    condition     = var.heartbeat_timeout_seconds >= 120 && var.heartbeat_timeout_seconds <= 7200
    error_message = "120 to 7200 seconds."
  }
}

variable "policy_scope" {
  description = "What drains may deregister from: vpc: any pool; tag: only pools with the cluster's tag (POLICY_SCOPE)."
  type        = string
  default     = "vpc"

  validation {
    condition     = contains(["vpc", "tag"], var.policy_scope)
    error_message = "vpc or tag."
  }
}

variable "cluster_name" {
  description = "The cluster's name, as in CLUSTERNAME. The scope tag needs it."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([0-9A-Za-z][A-Za-z0-9_.-]{0,99})?$", var.cluster_name))
    error_message = "1 to 100 letters, digits, hyphens, underscores and dots, or nothing."
  }

  validation {
    condition     = var.policy_scope != "tag" || var.cluster_name != ""
    error_message = "policy_scope = \"tag\" needs cluster_name."
  }
}

variable "undo" {
  description = "Whether the policy lets drains be cancelled, which registers again what they have deregistered (UNDO). A function can't be asked to."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "A customer managed KMS key to encrypt the queues with; without it SQS's own key does. The key's policy must let events.amazonaws.com kms:Decrypt and kms:GenerateDataKey."
  type        = string
  default     = null
}

variable "retention_seconds" {
  description = "How long a message waits for somebody to come back. A hook never waits longer than 172800 s."
  type        = number
  default     = 345600

  validation {
    condition     = var.retention_seconds >= 3600 && var.retention_seconds <= 1209600
    error_message = "3600 to 1209600 seconds."
  }
}

variable "max_receive_count" {
  description = "How often a message is delivered before it goes to the dead-letter queue. Absent: 30, and with Lambda 100, where a drain takes one more for each quarter of an hour."
  type        = number
  default     = null
}

variable "lambda" {
  description = "A function that drains, in place of a service. Absent: none, and QUEUE of `hasta-la-vista serve` gets the output queue_url."
  type = object({
    # A zip file that has dist/lambda.mjs at its top.
    zip_file            = string
    runtime             = optional(string, "nodejs24.x")
    architecture        = optional(string, "arm64")
    batch_size          = optional(number, 100)
    maximum_concurrency = optional(number, 5)
    # Of each running function, for none knows of the others. Absent: 0.8, divided by maximum_concurrency.
    quota_share        = optional(number)
    vpc_id             = optional(string, "")
    log_level          = optional(string, "info")
    log_retention_days = optional(number, 30)
  })
  default = null

  validation {
    condition     = var.lambda == null || try(contains(["nodejs22.x", "nodejs24.x"], var.lambda.runtime), false)
    error_message = "The runtime is nodejs22.x or nodejs24.x."
  }

  validation {
    condition     = var.lambda == null || try(var.lambda.maximum_concurrency >= 2 && var.lambda.maximum_concurrency <= 1000, false)
    error_message = "maximum_concurrency is 2 to 1000."
  }
}
