#!/usr/bin/env bash
# AWS's waiters for a deregistered target end while the target is still registered, and differ between JavaScript and Python.
#
# Expected: the waiter TargetDeregistered (InstanceDeregistered for classic load balancers) ends with success only when the target
#   is no longer registered. It fails at once when the call is refused or the target group does not exist.
# Observed: both languages accept the state `unused`, also with the reasons Target.NotInUse (registered, but the group has no
#   listener) and Target.InvalidState (registered, but the instance is stopped). For a classic load balancer they accept
#   `OutOfService`, which is also the state of an instance that is registered and unhealthy. If the target group does not exist or
#   access is denied, Python's waiter fails at the first call. JavaScript's waiter calls again until its time is up. If no target is
#   left in the group, the empty list never counts as success in either.
# Seen with: @aws-sdk/client-elastic-load-balancing 3.1075.0, @aws-sdk/client-elastic-load-balancing-v2 3.1142.0, botocore 1.44.5, on
#   2026-11-30.
# Why it matters: a script that terminates a node when the waiter has ended (`aws elbv2 wait target-deregistered` has the rules of
#   botocore) can terminate it while it is registered. A waiter in JavaScript turns a missing permission into a wait of minutes and
#   the error "Waiter has timed out".
# Needs: Node.js 20 or later, npm, Python 3.10 or later.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund --before=2026-11-30 \
  @aws-sdk/client-elastic-load-balancing@3.1075.0 @aws-sdk/client-elastic-load-balancing-v2@3.1142.0
npm ls --depth=0
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check --no-input botocore==1.44.5
env/bin/python -m pip list --disable-pip-version-check | grep -E '^botocore '

# The name of the load balancer or target group in the request says how it is answered.
cat >server.js <<'JS'
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

const target = (reason) =>
  `<TargetHealthDescriptions><member><Target><Id>i-0123456789abcdef0</Id><Port>80</Port></Target><TargetHealth><State>unused</State><Reason>${reason}</Reason></TargetHealth></member></TargetHealthDescriptions>`;
const UNHEALTHY =
  "<InstanceStates><member><InstanceId>i-0123456789abcdef0</InstanceId><State>OutOfService</State><ReasonCode>Instance</ReasonCode><Description>Instance has failed at least the UnhealthyThreshold number of health checks consecutively.</Description></member></InstanceStates>";
const ANSWERS = {
  "not-registered": [200, target("Target.NotRegistered")],
  "not-in-use": [200, target("Target.NotInUse")],
  "stopped": [200, target("Target.InvalidState")],
  "classic-unhealthy": [200, UNHEALTHY],
  "no-group": [400, "TargetGroupNotFound"],
  "denied": [403, "AccessDenied"],
  "no-targets": [200, "<TargetHealthDescriptions/>"],
};
let calls = 0;
const server = createServer(async (request, response) => {
  calls++;
  const params = new URLSearchParams(await text(request));
  const action = params.get("Action");
  const [status, content] = ANSWERS[params.get("TargetGroupArn") ?? params.get("LoadBalancerName")];
  const error = `<ErrorResponse><Error><Type>Sender</Type><Code>${content}</Code><Message>An example.</Message></Error></ErrorResponse>`;
  const answer = `<${action}Response><${action}Result>${content}</${action}Result></${action}Response>`;
  response.writeHead(status, { "content-type": "text/xml" }).end(status === 200 ? answer : error);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));

for (const scene of Object.keys(ANSWERS)) {
  for (const [language, ...command] of [["JavaScript", process.execPath, "wait.js"], ["Python", "env/bin/python", "wait.py"]]) {
    calls = 0;
    const [program, file] = command;
    const waiter = spawn(program, [file, `http://127.0.0.1:${server.address().port}`, scene], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const result = (await text(waiter.stdout)).trim();
    console.log(`${scene}, ${language}: ${result} after ${calls === 1 ? "one call" : "several calls"}`);
  }
}
server.close();
JS
cat >wait.js <<'JS'
import { ElasticLoadBalancingClient, waitUntilInstanceDeregistered } from "@aws-sdk/client-elastic-load-balancing";
import { ElasticLoadBalancingV2Client, waitUntilTargetDeregistered } from "@aws-sdk/client-elastic-load-balancing-v2";

const [, , endpoint, scene] = process.argv;
const credentials = { accessKeyId: "example", secretAccessKey: "example" };
const config = { endpoint, region: "eu-west-1", credentials, maxAttempts: 1 };
const pace = { minDelay: 0.1, maxDelay: 0.1, maxWaitTime: 1 };
const id = "i-0123456789abcdef0";
const waiting = scene.startsWith("classic")
  ? waitUntilInstanceDeregistered(
      { client: new ElasticLoadBalancingClient(config), ...pace },
      { LoadBalancerName: scene, Instances: [{ InstanceId: id }] },
    )
  : waitUntilTargetDeregistered(
      { client: new ElasticLoadBalancingV2Client(config), ...pace },
      { TargetGroupArn: scene, Targets: [{ Id: id }] },
    );
await waiting.then(
  () => console.log("success"),
  () => console.log("failure"),
);
JS
cat >wait.py <<'PY'
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import WaiterError

_, endpoint, scene = sys.argv
session = botocore.session.Session()
session.set_credentials("example", "example")


def client(service):
    config = Config(retries={"total_max_attempts": 1})
    return session.create_client(service, region_name="eu-west-1", endpoint_url=endpoint, config=config)


pace = {"Delay": 0.1, "MaxAttempts": 10}
node = "i-0123456789abcdef0"
try:
    if scene.startswith("classic"):
        waiter = client("elb").get_waiter("instance_deregistered")
        waiter.wait(LoadBalancerName=scene, Instances=[{"InstanceId": node}], WaiterConfig=pace)
    else:
        waiter = client("elbv2").get_waiter("target_deregistered")
        waiter.wait(TargetGroupArn=scene, Targets=[{"Id": node}], WaiterConfig=pace)
    print("success")
except WaiterError:
    print("failure")
PY
node server.js | tee seen.txt
diff seen.txt - <<'TEXT'
not-registered, JavaScript: success after one call
not-registered, Python: success after one call
not-in-use, JavaScript: success after one call
not-in-use, Python: success after one call
stopped, JavaScript: success after one call
stopped, Python: success after one call
classic-unhealthy, JavaScript: success after one call
classic-unhealthy, Python: success after one call
no-group, JavaScript: failure after several calls
no-group, Python: failure after one call
denied, JavaScript: failure after several calls
denied, Python: failure after one call
no-targets, JavaScript: failure after several calls
no-targets, Python: failure after several calls
TEXT
echo "As described above."
