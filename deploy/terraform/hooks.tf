# No notification target: Auto Scaling tells EventBridge of every action anyway.
resource "aws_autoscaling_lifecycle_hook" "drain" {
  for_each = var.auto_scaling_groups

  name                   = var.lifecycle_hook_name
  autoscaling_group_name = each.value
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = var.heartbeat_timeout_seconds

  # When nobody answers the instance goes in either case. CONTINUE lets the group's other hooks have their turn first; ABANDON
  # would skip them, and save no request.
  default_result = "CONTINUE"
}
