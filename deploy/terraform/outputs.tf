output "queue_url" {
  description = "For QUEUE."
  value       = aws_sqs_queue.departures.id
}

output "dead_letter_queue_url" {
  description = "What nobody could do anything with."
  value       = aws_sqs_queue.dead_letters.id
}

output "policy_arns" {
  description = "For the role that the service runs under."
  value       = concat([aws_iam_policy.drains.arn], aws_iam_policy.key[*].arn)
}

output "function_name" {
  description = "What drains, where `lambda` is given."
  value       = one([for function in aws_lambda_function.drains : function.function_name])
}
