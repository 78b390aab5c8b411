locals {
  # Rebalance recommendations are not among them: a service heeds those with REBALANCE=drain alone, a function never.
  patterns = jsondecode(file("${path.module}/event-patterns.json"))

  # A hook of another name is somebody else's to complete.
  narrowed = {
    autoscaling-terminate = { detail = { LifecycleHookName = [var.lifecycle_hook_name] } }
  }
}

resource "aws_cloudwatch_event_rule" "announcement" {
  for_each = local.patterns

  name          = "${var.name}-${each.key}"
  description   = "What announces that instances will go away: ${each.key}."
  event_pattern = jsonencode(merge(each.value, try(local.narrowed[each.key], {})))
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = aws_cloudwatch_event_rule.announcement

  rule      = each.value.name
  target_id = "queue"
  arn       = aws_sqs_queue.departures.arn
}
