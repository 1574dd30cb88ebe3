#!/usr/bin/env python3
"""Says whether template.yaml is sound, without an AWS account and without the network.

It turns the template into the plain CloudFormation that AWS would make of it, checks that what
comes out is what the code depends on, and runs cfn-lint over both. Any error or warning fails.

    pip install -r infra/requirements.txt
    python infra/check.py              check the template
    python infra/check.py --planted    plant known mistakes and see that each one is refused
"""

import argparse
import copy
import json
import logging
import os
import re
import sys
from pathlib import Path

# The translator asks for a region, only to learn which partition it is in. Any will do.
REGION = "eu-central-1"
os.environ["AWS_DEFAULT_REGION"] = REGION

import cfnlint.api as cfnlint  # noqa: E402
from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

# It would also like somebody to collect its metrics, and says so each time.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)

TEMPLATE = Path(__file__).parent / "template.yaml"

# What somebody deploying would type.
PARAMETERS = {"JwtIssuer": "https://issuer.example", "JwtAudience": "regulars"}

# Managed policies by name. SAM lets a name it does not know pass as it stands, and only a
# deployment would fail on it, so a name that is not in here counts as a mistake.
MANAGED_POLICIES = {
    "AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
}

# What the code depends on. Change these lines together with the code that needs the change.

KEYS = [("pk", "HASH"), ("sk", "RANGE")]
ATTRIBUTES = {"pk": "S", "sk": "S", "op": "S", "key": "S", "due": "S", "due_at": "N", "board": "S", "score": "N"}
LOCAL_INDEXES = {
    "by_op": ([("pk", "HASH"), ("op", "RANGE")], "KEYS_ONLY"),
    "by_key": ([("pk", "HASH"), ("key", "RANGE")], "KEYS_ONLY"),
}
GLOBAL_INDEXES = {
    "due": ([("due", "HASH"), ("due_at", "RANGE")], "KEYS_ONLY"),
    "board": ([("board", "HASH"), ("score", "RANGE")], "KEYS_ONLY"),
}

# A bundle and a person are got, a member is queried as the newest of its versions; the parts of what
# members share are got in one batch. A transaction needs the rights of the writes inside it: a stock
# is counted down, a code is taken from its pool.
GET = {"dynamodb:GetItem"}
QUERY = {"dynamodb:Query"}
LOAD = GET | QUERY
PARTS = {"dynamodb:BatchGetItem"}
# Whoever is due earlier under new rules is looked for among all members, when somebody says so.
SCAN = {"dynamodb:Scan"}
PUT = {"dynamodb:PutItem"}
UPDATE = {"dynamodb:UpdateItem"}
COMMIT = PUT | UPDATE | {"dynamodb:DeleteItem"}
REPEAT = {"by_op": QUERY}
# Activities are found by their id, and by the key that they were sent under; a repeat finds what
# has undone its entry.
BY_ID = {"by_op": QUERY, "by_key": QUERY}

# Seconds that a function which answers somebody has.
ANSWERS = 28
# For each function: its routes, what it may do to the table, what to each index, and its time
# limit in seconds.
FUNCTIONS = {
    "Enroll": (["POST /v1/members"], LOAD | PUT, {}, ANSWERS),
    "Earn": (["POST /v1/members/{id}/earn"], LOAD | PARTS | COMMIT, BY_ID, ANSWERS),
    "Redeem": (
        [
            "POST /v1/members/{id}/redeem",
            "POST /v1/members/{id}/holds",
            "POST /v1/members/{id}/holds/{hold}/capture",
            "POST /v1/members/{id}/holds/{hold}/release",
        ],
        LOAD | PARTS | COMMIT,
        BY_ID,
        ANSWERS,
    ),
    "Reverse": (["POST /v1/members/{id}/reverse"], LOAD | PUT | UPDATE, BY_ID, ANSWERS),
    "Manage": (
        [
            "DELETE /v1/members/{id}",
            "POST /v1/members/{id}/adjust",
            "POST /v1/members/{id}/transfer",
            "POST /v1/members/{id}/join",
            "POST /v1/members/{id}/leave",
        ],
        LOAD | COMMIT,
        REPEAT,
        ANSWERS,
    ),
    "Read": (
        [
            "GET /v1/members/{id}",
            "GET /v1/members/{id}/entries",
            "GET /v1/members/{id}/rewards",
            "GET /v1/contests/{title}",
        ],
        LOAD | PARTS,
        {"board": QUERY},
        ANSWERS,
    ),
    "Expire": ([], LOAD | PARTS | SCAN | COMMIT, {"due": QUERY}, 900),
}
RUN = "Expire"
SHARDS = 64

VARIABLES = {"REGULARS_TABLE": {"Ref": "Table"}, "RUST_LOG": "info"}
# It switches on a token for laptops that nobody has signed.
FORBIDDEN_VARIABLE = "REGULARS_DEVELOPMENT"


class Unsound(Exception):
    """What is wrong with the template: one complaint a line."""


def check(text):
    """Yields what was found in order, a sentence at a time. Raises Unsound at the first step that
    finds mistakes, with all the mistakes of that step."""
    source = parse(text)
    yield agree(code, source)
    result = transform(source)
    yield f"the template becomes {len(result['Resources'])} resources, and SAM knows every policy in it"
    for step in (table, functions, api, schedules):
        yield agree(step, result)
    if FORBIDDEN_VARIABLE in text:
        raise Unsound(f"the template names `{FORBIDDEN_VARIABLE}`, which is for laptops only")
    yield f"nothing mentions {FORBIDDEN_VARIABLE}"
    lint("the template", text)
    lint("what it becomes", json.dumps(result, indent=1))
    yield "cfn-lint has no errors and no warnings, before and after"


def parse(text):
    try:
        source = yaml_parse(text)
    except Exception as error:
        raise Unsound(f"the template is not YAML: {error}") from error
    if not isinstance(source, dict) or not isinstance(source.get("Resources"), dict):
        raise Unsound("the template has no resources")
    return source


def code(source):
    places = {
        name: resource["Properties"].get("CodeUri")
        for name, resource in source["Resources"].items()
        if resource.get("Type") == "AWS::Serverless::Function"
    }
    # Each function is the binary of the same name, where `cargo lambda build` leaves it.
    yield "where the code lies", places, {name: f"../target/lambda/{name.lower()}/" for name in FUNCTIONS}
    return f"the code of the {len(places)} functions is taken from where it is built"


def transform(source):
    source = copy.deepcopy(source)
    for resource in source["Resources"].values():
        # The translator only takes code that has been uploaded. Where it lies makes no
        # difference to anything checked here.
        if resource.get("Type") == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    try:
        result = Translator(MANAGED_POLICIES, Parser()).translate(source, parameter_values=dict(PARAMETERS))
    except InvalidDocumentException as error:
        causes = getattr(error, "causes", None) or [error]
        raise Unsound("\n".join(str(cause.message) for cause in causes)) from error
    mistakes = [
        f"`{arn}`, a policy of `{name}`, is not a policy that SAM or this check knows"
        for name, role in of_type(result, "AWS::IAM::Role")
        for arn in role.get("ManagedPolicyArns", [])
        if arn not in MANAGED_POLICIES.values()
    ]
    if mistakes:
        raise Unsound("\n".join(mistakes))
    return result


def agree(step, result):
    """Runs one step. A step yields what it looks at, what it found and what it wanted, as often as
    it likes, and returns the sentence to print when they all agree."""
    mistakes = []
    steps = step(result)
    while True:
        try:
            what, found, wanted = next(steps)
        except StopIteration as end:
            if mistakes:
                raise Unsound("\n".join(mistakes)) from None
            return end.value
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            # A part that is not there at all ends the step: nothing after it can be judged.
            mistakes.append(f"something the {step.__name__} check needs is missing: {error!r}")
            raise Unsound("\n".join(mistakes)) from error
        if found != wanted:
            mistakes.append(f"{what}: found {show(found)}, wanted {show(wanted)}")


def table(result):
    table = result["Resources"]["Table"]
    properties = table["Properties"]
    yield "the table's keys", keys(properties), KEYS
    yield (
        "the table's attributes",
        {a["AttributeName"]: a["AttributeType"] for a in properties["AttributeDefinitions"]},
        ATTRIBUTES,
    )
    yield "the local indexes", indexes(properties, "LocalSecondaryIndexes"), LOCAL_INDEXES
    yield "the global indexes", indexes(properties, "GlobalSecondaryIndexes"), GLOBAL_INDEXES
    yield "how the table is billed", properties.get("BillingMode"), "PAY_PER_REQUEST"
    yield "deletion protection", properties.get("DeletionProtectionEnabled"), True
    yield (
        "point-in-time recovery",
        properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"),
        True,
    )
    yield "encryption with a key of the account", properties.get("SSESpecification", {}).get("SSEEnabled"), True
    yield "deletion by time", properties.get("TimeToLiveSpecification", {}).get("Enabled", False), False
    yield "what happens to a removed table", table.get("DeletionPolicy"), "Retain"
    yield "what happens to a replaced table", table.get("UpdateReplacePolicy"), "Retain"
    names = ", ".join([*LOCAL_INDEXES, *GLOBAL_INDEXES])
    return f"the table has the keys and the indexes ({names}) that the store uses, and is not easily lost"


def functions(result):
    found = dict(of_type(result, "AWS::Lambda::Function"))
    yield "the functions", sorted(found), sorted(FUNCTIONS)
    for name, properties in found.items():
        _, table_rights, index_rights, seconds = FUNCTIONS[name]
        yield f"the handler of `{name}`", properties.get("Handler"), "bootstrap"
        yield f"the runtime of `{name}`", properties.get("Runtime"), "provided.al2023"
        yield f"the architecture of `{name}`", properties.get("Architectures"), ["arm64"]
        yield f"the time limit of `{name}`", properties.get("Timeout"), seconds
        yield f"the variables of `{name}`", properties.get("Environment", {}).get("Variables"), VARIABLES
        yield f"the log group of `{name}`", properties.get("LoggingConfig", {}).get("LogGroup"), {"Ref": "FunctionLogs"}
        wanted = {"table": table_rights} | {f"index {index}": actions for index, actions in index_rights.items()}
        yield f"what `{name}` may do", rights(result["Resources"][f"{name}Role"]["Properties"]), wanted
    for name, properties in of_type(result, "AWS::Logs::LogGroup"):
        yield f"that `{name}` forgets in time", "RetentionInDays" in properties, True
    return f"{len(found)} functions run as arm64 binaries, each with its own few rights and the two variables it reads"


def api(result):
    api = result["Resources"]["Api"]["Properties"]["Body"]
    routes = {}
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            integration = route["x-amazon-apigateway-integration"]
            at = f"{method.upper()} {path}"
            routes[at] = re.search(r"\$\{(\w+)\.Arn\}", integration["uri"]["Fn::Sub"]).group(1)
            yield f"the event format of `{at}`", integration.get("payloadFormatVersion"), "2.0"
            yield f"who guards `{at}`", route.get("security"), [{"Jwt": []}]
    yield (
        "the routes",
        routes,
        {route: name for name, (routes_of, *_) in FUNCTIONS.items() for route in routes_of},
    )
    guard = api["components"]["securitySchemes"]["Jwt"]["x-amazon-apigateway-authorizer"]
    yield "how callers are known", guard["type"], "jwt"
    yield "where the token is", guard["identitySource"], "$request.header.Authorization"
    yield "the issuer and audience", guard["jwtConfiguration"], {
        "issuer": {"Ref": "JwtIssuer"},
        "audience": [{"Ref": "JwtAudience"}],
    }
    ((_, stage),) = of_type(result, "AWS::ApiGatewayV2::Stage")
    log = stage.get("AccessLogSettings", {})
    yield "where access is logged", log.get("DestinationArn"), {"Fn::GetAtt": ["AccessLogs", "Arn"]}
    line = json.loads(log.get("Format", "{}"))
    yield "that the access log names the route", line.get("route"), "$context.routeKey"
    personal = [value for value in line.values() if value in ("$context.path", "$context.identity.sourceIp")]
    yield "personal data in the access log", personal, []
    return f"{len(routes)} routes reach the right functions, and each asks for a signed token"


def schedules(result):
    found = of_type(result, "AWS::Scheduler::Schedule")
    shards = []
    for name, properties in found:
        target = properties["Target"]
        yield f"what `{name}` starts", target["Arn"], {"Fn::GetAtt": [RUN, "Arn"]}
        yield f"how often `{name}` starts", properties["ScheduleExpression"], "rate(1 hour)"
        yield f"how punctual `{name}` is", properties["FlexibleTimeWindow"], {"Mode": "OFF"}
        yield f"that `{name}` tries again", target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 0) > 0, True
        yield (
            f"where `{name}` reports a start that failed",
            target.get("DeadLetterConfig"),
            {"Arn": {"Fn::GetAtt": ["MissedRuns", "Arn"]}},
        )
        event = json.loads(target["Input"])
        yield f"the event of `{name}`", {key: sorted(value) for key, value in event.items()}, {"shards": ["from", "to"]}
        shards += range(event["shards"]["from"], event["shards"]["to"] + 1)
    yield f"the shards that are visited, each once, of {SHARDS}", sorted(shards), list(range(SHARDS))
    ((_, failed),) = of_type(result, "AWS::Lambda::EventInvokeConfig")
    yield "whose failures are reported", failed["FunctionName"], {"Ref": RUN}
    yield (
        "where a run that failed is reported",
        failed["DestinationConfig"]["OnFailure"],
        {"Destination": {"Fn::GetAtt": ["MissedRuns", "Arn"]}},
    )
    return f"{len(found)} hourly schedules visit all {SHARDS} shards, each once, and report what fails"


def of_type(result, kind):
    return [(name, r["Properties"]) for name, r in result["Resources"].items() if r["Type"] == kind]


def keys(properties):
    return [(key["AttributeName"], key["KeyType"]) for key in properties["KeySchema"]]


def indexes(properties, kind):
    return {i["IndexName"]: (keys(i), i["Projection"]["ProjectionType"]) for i in properties.get(kind, [])}


def rights(role):
    """What a role may do to the table and to its indexes, by name. A right to anything else is
    left as it is written, so that it differs from what is wanted."""
    found = {}
    for policy in role.get("Policies", []):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            actions = set(as_list(statement["Action"]))
            resources = as_list(statement["Resource"])
            if actions == {"sqs:SendMessage"} and resources == [{"Fn::GetAtt": ["MissedRuns", "Arn"]}]:
                continue
            for resource in resources:
                sub = resource.get("Fn::Sub") if isinstance(resource, dict) else None
                if resource == {"Fn::GetAtt": ["Table", "Arn"]}:
                    name = "table"
                elif isinstance(sub, str) and sub.startswith("${Table.Arn}/index/"):
                    name = "index " + sub.removeprefix("${Table.Arn}/index/")
                else:
                    name = json.dumps(resource)
                found[name] = found.get(name, set()) | actions
    return found


def as_list(value):
    return value if isinstance(value, list) else [value]


def show(value):
    """A value as a short line, with sets in a settled order."""
    return json.dumps(value, default=sorted, sort_keys=True)


def lint(what, text):
    matches = [match for match in cfnlint.lint(text, regions=[REGION]) if match.rule.severity in ("error", "warning")]
    if matches:
        complaints = (f"{match.rule.id} line {match.linenumber}: {match.message}" for match in matches)
        raise Unsound("\n".join([f"cfn-lint on {what}:", *complaints]))


# A check that has never refused anything proves nothing. Each of these changes a sound template
# into one with a mistake: what to replace, with what, and a part of the complaint it must cause.
PLANTED = {
    "a SAM policy template that does not exist": (
        "      Policies:\n",
        "      Policies:\n        - DynamoDBCrudPolcy:\n            TableName: !Ref Table\n",
        "is not valid",
    ),
    "a managed policy that does not exist": (
        "      Policies:\n",
        "      Policies:\n        - AWSLambdaBasicExecutionRol\n",
        "`AWSLambdaBasicExecutionRol`",
    ),
    "a SAM policy template that gives more than is needed": (
        "      Policies:\n",
        "      Policies:\n        - DynamoDBCrudPolicy:\n            TableName: !Ref Table\n",
        "what `Enroll` may do",
    ),
    "code that is taken from elsewhere": ("lambda/earn/", "lambda/ern/", "where the code lies"),
    "a misspelt property of a function": ("      CodeUri:", "      MemroySize: 512\n      CodeUri:", "MemroySize"),
    "a misspelt property of the table": ("      BillingMode:", "      BilingMode:", "how the table is billed"),
    "a misspelt property that nothing here asks for": ("SqsManagedSseEnabled", "SqsManagedSseEnable", "cfn-lint"),
    "a misspelt action": ("dynamodb:BatchGetItem", "dynamodb:BatchGetItems", "what `Earn` may do"),
    "a parameter that nothing uses": ("Parameters:\n", "Parameters:\n  Unused:\n    Type: String\n", "W2001"),
    "a reference to nothing": ("RetentionInDays: !Ref LogRetentionDays", "RetentionInDays: !Ref LogDays", "LogDays"),
    "a missing local index": ("IndexName: by_op", "IndexName: by_operation", "the local indexes"),
    "a missing global index": (
        re.compile(r"      GlobalSecondaryIndexes:.*?KEYS_ONLY\n", re.DOTALL),
        "",
        "the global indexes",
    ),
    "an index that carries too much": ("ProjectionType: KEYS_ONLY", "ProjectionType: ALL", "the local indexes"),
    "a sort key of another type": (
        "AttributeName: due_at\n          AttributeType: N",
        "AttributeName: due_at\n          AttributeType: S",
        "the table's attributes",
    ),
    "a table that goes with its stack": ("DeletionPolicy: Retain", "DeletionPolicy: Delete", "a removed table"),
    "another handler": ("Handler: bootstrap", "Handler: main", "the handler of"),
    "another runtime": ("Runtime: provided.al2023", "Runtime: provided.al2", "the runtime of"),
    "another architecture": ("Architectures: [arm64]", "Architectures: [x86_64]", "the architecture of"),
    "the token for laptops": (
        "        RUST_LOG: info\n",
        '        RUST_LOG: info\n        REGULARS_DEVELOPMENT: "1"\n',
        FORBIDDEN_VARIABLE,
    ),
    "the token for laptops, on one function": (
        "      Timeout: 900\n",
        '      Timeout: 900\n      Environment:\n        Variables:\n          REGULARS_DEVELOPMENT: "1"\n',
        FORBIDDEN_VARIABLE,
    ),
    "a right to every table": ("Resource: !Sub ${Table.Arn}/index/due", 'Resource: "*"', "what `Expire` may do"),
    "a route that anybody may use": (
        "            PayloadFormatVersion:",
        "            Auth:\n              Authorizer: NONE\n            PayloadFormatVersion:",
        "who guards",
    ),
    "a route that reaches nothing": ("Path: /v1/members/{id}/redeem", "Path: /v1/members/{id}/redem", "the routes"),
    "a shard that is visited twice": ('{"from":8,"to":15}', '{"from":7,"to":15}', "the shards"),
    "a shard that is never visited": ('{"from":56,"to":63}', '{"from":56,"to":62}', "the shards"),
    "a schedule that fails in silence": (
        re.compile(r"            DeadLetterConfig:\n              Arn: !GetAtt MissedRuns.Arn\n"),
        "",
        "reports a start that failed",
    ),
    "a log that keeps members' ids": ("$context.routeKey", "$context.path", "the access log"),
}


def refuses_what_is_planted(text):
    """Plants each mistake in turn. Returns how many were not refused for the right reason."""
    missed = 0
    for name, (old, new, complaint) in PLANTED.items():
        if isinstance(old, str):
            planted = text.replace(old, new, 1)
        else:
            planted = old.sub(lambda _: new, text, count=1)
        if planted == text:
            print(f"MISSED   {name}: there is nowhere left to plant it; bring this check up to date")
            missed += 1
            continue
        try:
            for _ in check(planted):
                pass
        except Unsound as refusal:
            if complaint in str(refusal):
                print(f"refused  {name}")
            else:
                print(f"MISSED   {name}: refused for another reason: {refusal}")
                missed += 1
        else:
            print(f"MISSED   {name}: it passed")
            missed += 1
    return missed


def main():
    arguments = argparse.ArgumentParser(description="says whether the template is sound")
    arguments.add_argument("template", nargs="?", type=Path, default=TEMPLATE, help="another template to check")
    arguments.add_argument("--planted", action="store_true", help="see that planted mistakes are refused")
    chosen = arguments.parse_args()
    text = chosen.template.read_text()
    try:
        for sentence in check(text):
            print(f"ok  {sentence}")
    except Unsound as refusal:
        print(f"the template is not sound\n{refusal}", file=sys.stderr)
        return 1
    if chosen.planted:
        missed = refuses_what_is_planted(text)
        if missed:
            print(f"{missed} of {len(PLANTED)} planted mistakes were not refused as they should be", file=sys.stderr)
            return 1
        print(f"ok  all {len(PLANTED)} planted mistakes are refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
