import { randomUUID } from "node:crypto";

interface Topic {
  readonly arn: string;
  readonly region: string;
}

/**
 * A message as a topic passes it on to a queue, without raw message delivery. Nobody can sign it but SNS.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
 */
export function snsEnvelope(message: string, { arn, region }: Topic, at: number): string {
  const host = `https://sns.${region}.amazonaws.com`;
  return JSON.stringify({
    Type: "Notification",
    MessageId: randomUUID(),
    TopicArn: arn,
    Message: message,
    Timestamp: new Date(at).toISOString(),
    SignatureVersion: "1",
    Signature: Buffer.from("not signed: simulated").toString("base64"),
    SigningCertURL: `${host}/SimpleNotificationService-00000000000000000000000000000000.pem`,
    UnsubscribeURL: `${host}/?Action=Unsubscribe&SubscriptionArn=${arn}:${randomUUID()}`,
  });
}
