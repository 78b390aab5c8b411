locals {
  actions = jsondecode(file("${path.module}/policy-actions.json"))
  # What `hasta-la-vista policy` prints with QUEUE, word for word.
  policy = templatefile("${path.module}/policy-${var.policy_scope}.json.tftpl", {
    partition    = data.aws_partition.current.partition
    region       = data.aws_region.current.region
    queue_arn    = aws_sqs_queue.departures.arn
    cluster_name = var.cluster_name
    writes       = jsonencode(concat(local.actions.writes, var.undo ? local.actions.undo : []))
    receives     = jsonencode(var.lambda == null ? local.actions.serve : local.actions.lambda)
  })
}

# For the role of a pod (EKS Pod Identity or IRSA), of an instance, or of the function.
resource "aws_iam_policy" "drains" {
  name        = "${var.name}-${data.aws_region.current.region}"
  description = "What hasta-la-vista needs to drain nodes that its queue announces."
  policy      = local.policy
}

resource "aws_iam_policy" "key" {
  count = var.kms_key_arn == null ? 0 : 1

  name        = "${var.name}-${data.aws_region.current.region}-key"
  description = "What hasta-la-vista needs to read messages that this key has encrypted."

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "kms:Decrypt", Resource = var.kms_key_arn }]
  })
}
