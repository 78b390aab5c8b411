locals {
  # One function, or none.
  functions = { for name, function in { drains = var.lambda } : name => function if function != null }
}

resource "aws_lambda_function" "drains" {
  # checkov:skip=CKV_AWS_116:What fails is in its queue, which has a dead-letter queue.
  # checkov:skip=CKV_AWS_115:The mapping's maximum_concurrency is the limit.
  # checkov:skip=CKV_AWS_117:It calls AWS alone, and is called by AWS. In a VPC it would need endpoints for that.
  # checkov:skip=CKV_AWS_173:Its variables hold no secret, and AWS encrypts them with a key of its own.
  # checkov:skip=CKV_AWS_272:The file is yours: sign it, and name your own signing profile here, if your account demands that.
  # checkov:skip=CKV_AWS_50:The program reports what it does in its log. X-Ray would add the time of each invocation alone.
  for_each = local.functions

  function_name    = var.name
  description      = "Drains the nodes that messages of its queue announce."
  filename         = each.value.zip_file
  source_code_hash = filebase64sha256(each.value.zip_file)
  handler          = "lambda.sqs"
  runtime          = each.value.runtime
  architectures    = [each.value.architecture]
  role             = aws_iam_role.function[each.key].arn
  # The longest that there is: holds of a Network Load Balancer alone take minutes, and waiting costs little memory.
  timeout     = 900
  memory_size = 512

  environment {
    variables = {
      CLUSTERNAME  = var.cluster_name
      VPCID        = each.value.vpc_id
      POLICY_SCOPE = var.policy_scope
      QUOTA_SHARE  = coalesce(each.value.quota_share, max(0.01, floor(80 / each.value.maximum_concurrency) / 100))
      LOGLEVEL     = each.value.log_level
      # This queue is the cluster's alone: nobody waits for what is released.
      QUEUE_FOREIGN = "delete"
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }
}

resource "aws_lambda_event_source_mapping" "queue" {
  for_each = local.functions

  event_source_arn        = aws_sqs_queue.departures.arn
  function_name           = aws_lambda_function.drains[each.key].arn
  function_response_types = ["ReportBatchItemFailures"]
  batch_size              = each.value.batch_size
  # A second, which brings the warnings of one spot reclaim to one function. Without a window a batch has ten at most.
  maximum_batching_window_in_seconds = 1

  scaling_config {
    maximum_concurrency = each.value.maximum_concurrency
  }

  # AWS looks whether the function may receive when the mapping is made.
  depends_on = [aws_iam_role_policy_attachment.drains, aws_iam_role_policy_attachment.key]
}

resource "aws_cloudwatch_log_group" "function" {
  # checkov:skip=CKV_AWS_158:It holds no secret, and AWS encrypts it. A key of yours must allow CloudWatch Logs to use it.
  for_each = local.functions

  name              = "/aws/lambda/${var.name}"
  retention_in_days = each.value.log_retention_days
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name = "${var.name}-${data.aws_region.current.region}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy_attachment" "drains" {
  for_each = local.functions

  role       = aws_iam_role.function[each.key].name
  policy_arn = aws_iam_policy.drains.arn
}

resource "aws_iam_role_policy_attachment" "key" {
  for_each = { for name, function in local.functions : name => function if var.kms_key_arn != null }

  role       = aws_iam_role.function[each.key].name
  policy_arn = aws_iam_policy.key[0].arn
}

resource "aws_iam_role_policy" "logs" {
  for_each = local.functions

  name = "logs"
  role = aws_iam_role.function[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.function[each.key].arn}:*"
    }]
  })
}
