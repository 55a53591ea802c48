"""House rules: what is written down twice is compared, and the walls between the crates are checked."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
CRATES = ROOT / "crates"
TEMPLATE = ROOT / "infra" / "template.yaml"

HANDS = {"cosell-aws", "cosell-crm", "cosell-lambda"}
BELOW_HANDS = {"cosell-model", "cosell-mapping", "cosell-sync"}
# Look down, never sideways. Nobody depends on a door; hands do not know each other; the sandbox knows the vocabulary
# only, since with our mapping it would agree with our mistakes.
ALLOWED = {
    "cosell-model": set(),
    "cosell-mapping": {"cosell-model"},
    "cosell-sync": {"cosell-model", "cosell-mapping"},
    "cosell-aws": BELOW_HANDS,
    "cosell-crm": BELOW_HANDS,
    "cosell-lambda": {"cosell-sync"},
    # Where hands meet: what several doors wire alike.
    "cosell-wiring": BELOW_HANDS | {"cosell-aws", "cosell-crm"},
    "cosell-cli": BELOW_HANDS | {"cosell-aws", "cosell-crm", "cosell-wiring"},
    "cosell-sandbox": {"cosell-model"},
}
FUNCTION_MAY_USE = BELOW_HANDS | HANDS | {"cosell-wiring"}
# Nouns compute, work acts through traits: neither holds a client, a server or a runtime.
CLIENTS = re.compile(r"^(aws[-_].*|reqwest|hyper.*|axum|lambda_runtime)$")


class CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, read as their long ones."""


def _function(loader: CloudFormation, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


CloudFormation.add_multi_constructor("!", _function)


@cache
def load_template() -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text(), CloudFormation)


def resources(kind: str) -> dict[str, dict[str, Any]]:
    found = {
        name: resource.get("Properties", {})
        for name, resource in load_template()["Resources"].items()
        if resource["Type"] == kind
    }
    assert found, f"the template has no {kind}"
    return found


def functions() -> dict[str, dict[str, Any]]:
    return resources("AWS::Serverless::Function")


def queues() -> dict[str, dict[str, Any]]:
    return resources("AWS::SQS::Queue")


def sources() -> list[tuple[str, str, dict[str, Any]]]:
    """Function, queue and properties of each SQS event source."""
    found = [
        (function, event["Properties"]["Queue"]["Fn::GetAtt"][0], event["Properties"])
        for function, properties in functions().items()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "SQS"
    ]
    assert found, "no function has a queue"
    return found


def statements() -> list[dict[str, Any]]:
    """Every statement of every policy, also of those behind a condition."""

    def walk(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if "Effect" in node:
                yield node
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    found = list(walk(load_template()["Resources"]))
    assert len(found) > len(functions()), "the template's policies were not found"
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def dead_letter_queues() -> set[str]:
    """The queues that a redrive, a rule, a schedule or a failed run names as the last resort."""
    text = TEMPLATE.read_text()
    named = re.findall(
        r"(?:deadLetterTargetArn|DeadLetterConfig: \{ Arn|Type: SQS, Destination): !GetAtt (\w+)\.Arn", text
    )
    assert named
    return set(named)


def pascal(crate: str) -> str:
    return "".join(part.capitalize() for part in crate.split("-"))


def function_crates() -> list[str]:
    found = sorted(path.parent.name for path in CRATES.glob("fn-*/Cargo.toml"))
    assert found, "there are no fn-* crates"
    return found


@cache
def packages() -> dict[str, set[str]]:
    """Each of our crates with everything it depends on, tests included."""
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = {
        package["name"]: {dependency["name"] for dependency in package["dependencies"]}
        for package in json.loads(answer.stdout)["packages"]
    }
    assert set(ALLOWED) <= set(found), f"missing crates: {set(ALLOWED) - set(found)}"
    return found


def tracked_files() -> list[Path]:
    """What is committed or would be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = [ROOT / name for name in answer.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert len(found) > len(ALLOWED)
    return found


def documents() -> list[Path]:
    readme = ROOT / "README.md"
    assert readme.is_file(), "there is no README.md"
    others = sorted(path for path in tracked_files() if path.name == "README.md" and path != readme)
    return [readme, *others, ROOT / "docs" / "operations.md"]


def code_in(document: Path) -> str:
    """The code spans and code blocks of a Markdown file."""
    text = document.read_text()
    blocks = re.findall(r"^```.*?$(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *spans])


# The walls.


def test_crates_look_down_never_sideways() -> None:
    ours = packages()
    wrong = []
    for crate, dependencies in ours.items():
        allowed = FUNCTION_MAY_USE if crate.startswith("fn-") else ALLOWED.get(crate)
        assert allowed is not None, f"{crate} has no floor yet: give it one in ALLOWED"
        wrong += [f"{crate} -> {name}" for name in sorted(dependencies & set(ours) - allowed)]
    assert not wrong, wrong


def test_nouns_and_work_hold_no_client() -> None:
    ours = packages()
    wrong = [f"{crate} -> {name}" for crate in BELOW_HANDS for name in ours[crate] if CLIENTS.match(name)]
    assert not wrong, wrong


def test_every_crate_inherits_the_lints() -> None:
    manifests = sorted(CRATES.glob("*/Cargo.toml"))
    assert manifests
    for manifest in manifests:
        assert tomllib.loads(manifest.read_text()).get("lints") == {"workspace": True}, manifest


# The template and the crates.


def test_every_function_crate_is_deployed_and_nothing_else() -> None:
    deployed = {name: properties["CodeUri"] for name, properties in functions().items()}
    assert deployed == {pascal(crate): f"../target/lambda/{crate}/bootstrap.zip" for crate in function_crates()}


def variables(text: str) -> set[str]:
    return set(re.findall(r'"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"', text))


@pytest.mark.parametrize("crate", function_crates())
def test_a_function_gets_exactly_the_variables_it_reads(crate: str) -> None:
    # RUST_LOG is read by cosell-lambda for every function.
    common = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    assert set(common) == {"RUST_LOG"}
    assert any("RUST_LOG" in source.read_text() for source in (CRATES / "cosell-lambda" / "src").rglob("*.rs"))

    config = (CRATES / crate / "src" / "config.rs").read_text()
    shared = (CRATES / "cosell-wiring" / "src" / "settings.rs").read_text()
    groups = dict(re.findall(r"pub struct (\w+) \{(.*?)\n\}", shared, re.DOTALL))

    def named(text: str) -> set[str]:
        return variables(text).union(*(named(group) for name, group in groups.items() if f": {name}," in text))

    assert all(named(group) for group in groups.values()), groups
    read = named(config)
    assert read, f"{crate} reads nothing"
    assert set(functions()[pascal(crate)]["Environment"]["Variables"]) == read


def test_every_queue_source_reports_single_failures() -> None:
    for function, queue, source in sources():
        assert source.get("FunctionResponseTypes") == ["ReportBatchItemFailures"], function
        assert source["ScalingConfig"]["MaximumConcurrency"] >= 2, queue


def test_every_queue_is_redriven_or_is_the_last_resort() -> None:
    last = dead_letter_queues()
    assert last <= set(queues())
    for name, queue in queues().items():
        assert ("RedrivePolicy" in queue) != (name in last), name
        if "RedrivePolicy" in queue:
            target = queues()[queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
            assert target.get("FifoQueue") == queue.get("FifoQueue"), f"{name} and its dead letters are of two kinds"
            assert target["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"], name


def test_no_message_is_handed_out_again_while_it_is_worked_on() -> None:
    for function, queue, _ in sources():
        assert queues()[queue]["VisibilityTimeout"] >= 6 * functions()[function]["Timeout"], function


def test_a_function_parks_before_its_queue_gives_up() -> None:
    receives = load_template()["Mappings"]["Redrive"]
    allowed = load_template()["Parameters"]["MaxReceives"]["AllowedValues"]
    assert [int(key) for key in receives] == allowed
    assert all(value["Receives"] == int(key) + 2 for key, value in receives.items())


def test_queues_and_buckets_are_encrypted_and_reached_by_tls_only() -> None:
    assert all(queue["SqsManagedSseEnabled"] for queue in queues().values())
    assert all(bucket["BucketEncryption"] for bucket in resources("AWS::S3::Bucket").values())
    for bucket in resources("AWS::S3::Bucket").values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    denied = {
        statement["Resource"]["Fn::GetAtt"][0]
        if isinstance(statement["Resource"], dict)
        else as_list(statement["Resource"])[0]["Fn::GetAtt"][0]
        for statement in statements()
        if statement["Effect"] == "Deny"
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        and "Ref" not in statement["Resource"]
    }
    assert denied == {*queues(), *resources("AWS::S3::Bucket")}


def test_no_action_has_a_star_and_each_star_resource_says_why() -> None:
    actions = [action for statement in statements() for action in as_list(statement["Action"])]
    assert not [action for action in actions if "*" in action]

    lines = TEMPLATE.read_text().splitlines()
    stars = [number for number, line in enumerate(lines) if line.strip() == 'Resource: "*"']
    for number in stars:
        assert any("star" in line for line in lines[max(0, number - 12) : number] if line.strip().startswith("#")), (
            f"line {number + 1}: say why the resource is a star"
        )


def test_every_right_in_partner_central_is_pinned_to_the_catalog() -> None:
    rights = [
        statement
        for statement in statements()
        if any(action.startswith("partnercentral:") for action in as_list(statement["Action"]))
    ]
    assert rights
    for right in rights:
        pinned = right.get("Condition") == {"StringEquals": {"partnercentral:Catalog": {"Ref": "Catalog"}}}
        named = all("${Catalog}" in json.dumps(resource) for resource in as_list(right["Resource"]))
        assert pinned or named, right


def test_every_function_has_a_role_and_a_log_of_its_own() -> None:
    roles = resources("AWS::IAM::Role")
    logs = resources("AWS::Logs::LogGroup")
    for name, function in functions().items():
        assert function["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]} and f"{name}Role" in roles
        assert function["LoggingConfig"]["LogGroup"] == {"Ref": f"{name}Logs"}
        assert "RetentionInDays" in logs[f"{name}Logs"]
        assert "ReservedConcurrentExecutions" not in function, name


def alarms_on(metric: str, dimension: Any) -> list[tuple[str, dict[str, Any]]]:
    """The alarms on a metric, with the dimension that tells one from the other."""
    return [
        (name, alarm)
        for name, alarm in resources("AWS::CloudWatch::Alarm").items()
        if alarm["MetricName"] == metric and alarm["Dimensions"][-1]["Value"] == dimension
    ]


def scheduled_functions() -> dict[str, list[dict[str, Any]]]:
    """Each function that the clock starts, and its schedules."""
    found: dict[str, list[dict[str, Any]]] = {}
    for schedule in resources("AWS::Scheduler::Schedule").values():
        found.setdefault(schedule["Target"]["Arn"]["Fn::GetAtt"][0], []).append(schedule)
    return found


def test_every_dead_letter_rings_at_once_and_when_it_is_forgotten() -> None:
    replayed = set(re.findall(r"\$\{(\w+DeadLetters)\}", json.dumps(functions()["FnReplay"])))
    assert replayed < dead_letter_queues()
    for queue in dead_letter_queues():
        name = {"Fn::GetAtt": [queue, "QueueName"]}
        assert alarms_on("ApproximateNumberOfMessagesVisible", name), queue
        # SQS's own age leaves out what was received three times, as FnReplay does with what it keeps.
        age = "dead_letters_oldest_seconds" if queue in replayed else "ApproximateAgeOfOldestMessage"
        assert alarms_on(age, name), f"{queue}: no alarm on {age}"


def test_every_queue_rings_when_it_is_not_worked_off() -> None:
    for _, queue, _ in sources():
        assert alarms_on("ApproximateAgeOfOldestMessage", {"Fn::GetAtt": [queue, "QueueName"]}), queue


def test_every_error_and_every_old_mapping_rings() -> None:
    for function, properties in functions().items():
        assert alarms_on("Errors", {"Ref": function}), function
        reads_the_mapping = "COSELL_CONFIG_BUCKET" in properties["Environment"]["Variables"]
        assert bool(alarms_on("mapping_invalid", {"Ref": function})) == reads_the_mapping, function


def test_every_scheduled_function_has_a_heartbeat_while_it_is_on() -> None:
    template = load_template()

    def value(node: Any, given: dict[str, str]) -> Any:
        """A condition, or a value that depends on one."""
        if not isinstance(node, dict):
            return node
        [(kind, operands)] = node.items()
        if kind == "Ref":
            return given[operands]
        if kind == "Condition":
            return value(template["Conditions"][operands], given)
        if kind == "Fn::If":
            return value(operands[1 if value({"Condition": operands[0]}, given) else 2], given)
        values = [value(operand, given) for operand in operands]
        if kind == "Fn::Equals":
            return values[0] == values[1]
        return {"Fn::Not": not values[0], "Fn::And": all(values), "Fn::Or": any(values)}[kind]

    states = {name: template["Parameters"][name]["AllowedValues"] for name in ("ScheduleState", "PushState", "LeadPushState")}
    states["AceBucketName"] = ["", "ace-apn-1-beta-us-west-2"]
    for function, schedules in scheduled_functions().items():
        [(name, alarm)] = alarms_on("Invocations", {"Ref": function})
        silence = ("Sum", 3600, {"Ref": "HeartbeatHours"}, 1, "LessThanThreshold", "breaching")
        said = ("Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator", "TreatMissingData")
        assert tuple(alarm[property] for property in said) == silence, name
        condition = {"Condition": template["Resources"][name]["Condition"]}
        for chosen in product(*states.values()):
            given = dict(zip(states, chosen, strict=True))
            on = any(value(schedule["State"], given) == "ENABLED" for schedule in schedules)
            assert value(condition, given) == on, f"{name} with {given}"
    # What CloudWatch looks back at most.
    assert template["Parameters"]["HeartbeatHours"]["MaxValue"] * 3600 <= 7 * 86400


def test_every_alarm_tells_somebody_what_to_do() -> None:
    main = (CRATES / "cosell-cli" / "src" / "main.rs").read_text()
    variants = re.search(r"enum Command \{(.*?)\n\}", main, re.DOTALL)[1]
    commands = {name.lower() for name in re.findall(r"^    ([A-Z]\w*)\(", variants, re.MULTILINE)}
    assert {"doctor", "dlq"} <= commands
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name
        named = set(re.findall(r"\bcosell ([a-z]+)", alarm["AlarmDescription"]))
        assert named, f"{name} names no command"
        assert named <= commands, f"{name} names commands that are not there: {named - commands}"


def test_every_alarm_has_its_section_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "operations.md").read_text()
    sections = re.findall(r"`(\S+Alarm)`", "\n".join(re.findall(r"^### .*", runbook, re.MULTILINE)))
    alarms = resources("AWS::CloudWatch::Alarm")
    assert not [name for name in alarms if not any(fnmatchcase(name, section) for section in sections)]
    assert not [section for section in sections if not any(fnmatchcase(name, section) for name in alarms)]


def test_every_threshold_but_any_at_all_is_a_parameter_with_limits() -> None:
    parameters = load_template()["Parameters"]
    [group] = [
        group["Parameters"]
        for group in load_template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        if group["Label"]["default"] == "Alarms"
    ]
    used = set()
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        if alarm["Threshold"] != 1:
            used.add(alarm["Threshold"]["Ref"])
            assert "MinValue" in parameters[alarm["Threshold"]["Ref"]], name
    assert used | {"HeartbeatHours", "AlarmEmail"} == set(group)


# What is watched, and what the code writes.


@cache
def written_metrics() -> dict[str, set[frozenset[str]]]:
    """Every metric of the code's, with the labels that it has in each place."""
    found: dict[str, set[frozenset[str]]] = {}
    macro = re.compile(r'\b(?:counter|gauge|histogram)!\(\s*"(\w+)"(.*?)\)\s*\.(?:increment|absolute|set|record)\b', re.DOTALL)
    for source in sorted(CRATES.glob("*/src/**/*.rs")):
        for name, labels in macro.findall(source.read_text()):
            found.setdefault(name, set()).add(frozenset(re.findall(r'"(\w+)"\s*=>', labels)))
    assert "messages" in found
    return found


def unwritten(watched: set[tuple[str, frozenset[str]]]) -> list[str]:
    """What is watched and never written, with these dimensions."""
    written = written_metrics()
    return sorted(
        f"{name}{sorted(dimensions - {'function'})}"
        for name, dimensions in watched
        if "function" not in dimensions or dimensions - {"function"} not in written.get(name, set())
    )


def test_every_metric_that_an_alarm_watches_is_written() -> None:
    watched = {
        (alarm["MetricName"], frozenset(dimension["Name"] for dimension in alarm["Dimensions"]))
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "cosell"
    }
    assert not unwritten(watched)


@cache
def dashboard() -> dict[str, Any]:
    """The dashboard's body with every alarm, its parameters at their defaults."""
    text, conditional = resources("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"]
    parameters = load_template()["Parameters"]
    known = {name: str(parameter.get("Default", name)) for name, parameter in parameters.items()}
    known |= {name: chosen["Fn::If"][1]["Fn::Sub"] for name, chosen in conditional.items()}
    assert all(chosen["Fn::If"][2] == "" for chosen in conditional.values())
    # Twice, since what depends on a condition names alarms.
    for _ in range(2):
        text = re.sub(r"\$\{([\w:.]+)\}", lambda match: known.get(match[1], match[1]), text)
    return json.loads(text)


def charts() -> list[dict[str, Any]]:
    return [widget["properties"] for widget in dashboard()["widgets"] if widget["type"] == "metric"]


def test_every_widget_is_of_a_sound_shape_and_covers_no_other() -> None:
    widgets = dashboard()["widgets"]
    places = []
    for widget in widgets:
        shown = widget["properties"]
        left, top, right, bottom = widget["x"], widget["y"], widget["x"] + widget["width"], widget["y"] + widget["height"]
        assert 0 <= left < right <= 24 and 0 <= top < bottom, widget
        places.append((left, top, right, bottom))
        needed = {
            "text": {"markdown"},
            "alarm": {"title", "alarms"},
            "log": {"title", "region", "view", "query"},
            "metric": {"title", "region", "view", "stat", "period", "metrics"},
        }[widget["type"]]
        assert needed <= set(shown) and all(shown[name] for name in needed), widget
    for one, other in combinations(places, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)
    for chart in charts():
        for *metric, last in chart["metrics"]:
            if metric:
                names = metric if isinstance(last, dict) else [*metric, last]
                assert len(names) >= 4 and len(names) % 2 == 0 and all(isinstance(name, str) for name in names), names
            else:
                # CloudWatch takes no longer search. A function's name begins with the stack's, for which 30 letters are left.
                assert len(last["expression"]) + 30 * last["expression"].count("Fn") <= 1024 and last["label"], last


def test_the_dashboard_shows_every_alarm_and_reads_every_log() -> None:
    [shown] = [widget["properties"]["alarms"] for widget in dashboard()["widgets"] if widget["type"] == "alarm"]
    assert sorted(shown) == sorted(f"{name}.Arn" for name in resources("AWS::CloudWatch::Alarm"))
    # What a widget shows at most.
    assert len(shown) <= 100
    [query] = [widget["properties"]["query"] for widget in dashboard()["widgets"] if widget["type"] == "log"]
    assert set(re.findall(r"SOURCE '(\w+)'", query)) == {f"{name}Logs" for name in functions()}


def test_every_metric_that_the_dashboard_shows_is_written() -> None:
    watched = set()
    for chart in charts():
        for *metric, last in chart["metrics"]:
            if metric and metric[0] == "cosell":
                watched.add((metric[1], frozenset(metric[2::2])))
            elif not metric:
                searched = re.findall(r"\{cosell,([\w,]+)\} MetricName=\"(\w+)\"", last["expression"])
                assert searched, last
                watched |= {(name, frozenset(dimensions.split(","))) for dimensions, name in searched}
    assert not unwritten(watched)


# What fails is kept, what is there is named.


def test_events_and_ticks_that_cannot_be_handed_over_are_kept() -> None:
    targets = [target for rule in resources("AWS::Events::Rule").values() for target in rule["Targets"]]
    targets += [schedule["Target"] for schedule in resources("AWS::Scheduler::Schedule").values()]
    for target in targets:
        assert target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] in queues(), target
    for name, function in functions().items():
        if "Events" not in function:
            failure = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
            assert failure["Destination"]["Fn::GetAtt"][0] in dead_letter_queues(), name


def test_every_usable_resource_is_an_output() -> None:
    template = load_template()
    kinds = {
        "AWS::Serverless::Function",
        "AWS::SQS::Queue",
        "AWS::S3::Bucket",
        "AWS::DynamoDB::Table",
        "AWS::SNS::Topic",
        "AWS::Logs::LogGroup",
    }
    usable = {name for name, resource in template["Resources"].items() if resource["Type"] in kinds}
    named = {name: output["Value"] for name, output in template["Outputs"].items()}
    expected = {name: {"Ref": name} for name in usable}
    expected |= {f"{name}Arn": {"Fn::GetAtt": [name, "Arn"]} for name in functions()}
    # The command asks the stack which world it serves, its CRM what its objects look like, and keeps to its quotas and log.
    settings = {"Catalog", "SalesforceEndpoint", "CrmSecretArn", "LogRetentionDays"}
    quotas = {"ReadsPerSecond", "ReadsPerDay", "WritesPerSecond", "WritesPerDay"}
    expected |= {name: {"Ref": name} for name in settings | quotas}
    # Where the operator looks first.
    assert "${Dashboard}" in named.pop("Dashboard")["Fn::Sub"]
    assert named == expected


# The words.


def test_commands_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(document, name) for document in documents() for name in re.findall(r"\bmake ([a-z-]+)", code_in(document))}
    assert any(document == ROOT / "README.md" for document, _ in named), "README.md names no make target"
    assert not [pair for pair in named if pair[1] not in targets]


def test_paths_in_the_documents_exist() -> None:
    path = re.compile(r"(?<![\w./-])(?:\./)?((?:crates|infra|tests|events)/[\w./*-]*)")
    named = {(document, name) for document in documents() for name in path.findall(code_in(document))}
    assert any(document == ROOT / "README.md" for document, _ in named), "README.md names no path"
    assert not [pair for pair in named if not list(ROOT.glob(pair[1].rstrip("./")))]


def test_nothing_names_a_place_of_one_machine() -> None:
    places = "|".join(["work", "root", "tmp/" + "brief", "home/" + "[a-z]+"])
    absolute = re.compile(rf"(?<![\w.:/*$}}>-])/(?:{places})(?![\w-])")
    wrong = []
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" not in content:
            text = content.decode(errors="replace")
            wrong += [f"{path.relative_to(ROOT)}: {match[0]}" for match in absolute.finditer(text)]
    assert not wrong, wrong
