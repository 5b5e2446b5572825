"""Drives an implementation of Kafka Connect's REST with two clients from PyPI.

URL, name of a connector to create, and its configuration as key=value.
"""

import json
import sys
import time

from kafka_connect import KafkaConnect
from kafkaconnect.connect import Connect


def want(call, is_so):
    if not is_so:
        sys.exit(f"{call}: not as expected")
    print("ok", call)


def until(call, holds):
    for _ in range(600):
        try:
            if holds():
                print("ok", call)
                return
        except Exception as error:  # no status yet, or a rebalance
            last = error
        else:
            last = "the condition does not hold"
        time.sleep(0.05)
    sys.exit(f"{call}: {last}")


def is_in(status, state):
    return status["connector"]["state"] == state and [t["state"] for t in status["tasks"]] == [state]


def with_kafka_connect_py(url, name, config):
    client = KafkaConnect(url=url)
    kind = config["connector.class"]

    def state(expected):
        until(f"status {expected}", lambda: is_in(client.get_connector_status(name), expected))

    want("info", client.get_cluster_info()["version"][0].isdigit())
    want("plugins", kind in [p["class"] for p in client.list_connector_plugins()])
    want("validate", client.validate_connector_config(kind, {**config, "name": name})["error_count"] == 0)
    want("validate with errors", client.validate_connector_config(kind, {"connector.class": kind})["error_count"] > 0)
    until("create", lambda: client.create_connector({"name": name, "config": config}) or True)
    state("RUNNING")
    want("list", name in client.list_connectors())
    want("list with status", is_in(client.list_connectors(expand="status")[name]["status"], "RUNNING"))
    want("list running", name in client.list_connectors(state="running"))
    want("connector", client.get_connector(name)["type"] == "source")
    want("config", client.get_connector_config(name) == {**config, "name": name})
    want("tasks", len(client.list_connector_tasks(name)) == 1)
    want("task's status", client.get_connector_task_status(name, 0)["state"] == "RUNNING")
    want("topics", "topics" in client.list_connector_topics(name)[name])
    until("update", lambda: client.update_connector(name, config) or True)
    state("RUNNING")
    until("pause", lambda: client.pause_connector(name) or True)
    state("PAUSED")
    until("resume", lambda: client.resume_connector(name) or True)
    state("RUNNING")
    until("restart", lambda: client.restart_connector(name) or True)
    state("RUNNING")
    until("restart with tasks", lambda: client.restart_connector(name, include_tasks=True) or True)
    state("RUNNING")
    until("restart of a task", lambda: client.restart_connector_task(name, 0) or True)
    state("RUNNING")
    client.reset_connector_topics(name)
    until("stop", lambda: client.stop_connector(name) or True)
    until("status STOPPED", lambda: client.get_connector_status(name)["connector"]["state"] == "STOPPED")
    until("delete", lambda: client.delete_connector(name) or True)
    want("list without", name not in client.list_connectors())


def with_kafkaconnect(url, name, config):
    client = Connect(url)
    kind = config["connector.class"]

    def state(expected):
        until(f"status {expected}", lambda: is_in(json.loads(client.status(name)), expected))

    def done(call, answer):
        if "rebalance" in answer:
            raise RuntimeError(answer)
        return "not found" not in answer and "Failed" not in answer

    want("plugins", kind in [p["class"] for p in json.loads(client.plugins())])
    want("validate", json.loads(client.validate(kind, json.dumps({**config, "name": name})))["error_count"] == 0)
    text = json.dumps({**config, "name": name})
    until("create", lambda: json.loads(client.validate_and_create(name, text))["name"] == name)
    state("RUNNING")
    want("list", name in json.loads(client.list()))
    want("info", json.loads(client.info(name))["type"] == "source")
    want("config", json.loads(client.config(name)) == {**config, "name": name})
    want("tasks", len(json.loads(client.tasks(name))) == 1)
    want("topics", name in json.loads(client.topics(name)))
    for call, then in ((client.pause, "PAUSED"), (client.resume, "RUNNING"), (client.restart, "RUNNING")):
        until(call.__name__, lambda: done(call, call(name)))
        state(then)
    until("remove", lambda: done("remove", client.remove(name)))
    want("list without", name not in json.loads(client.list()))


def main():
    url, name, *pairs = sys.argv[1:]
    config = dict(pair.split("=", 1) for pair in pairs)
    with_kafka_connect_py(url, name, config)
    with_kafkaconnect(url, name + "-2", config)


main()
