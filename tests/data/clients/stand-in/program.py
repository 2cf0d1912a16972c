"""A client of the tests: strict where real ones are, and quick, because it needs nothing but the standard library.

It reads only streams for tools. STAND_IN makes it misbehave: `silent` sends nothing, `retries` never gives up, `hangs`
never ends, `forks` leaves a process behind, `wrong` shows something else, `network` asks another host.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

TASK, API, PROMPT = (os.environ[name] for name in ("CLIENT_TASK", "CLIENT_API", "CLIENT_PROMPT"))
HABIT = os.environ.get("STAND_IN", "")
CITY = {"city": {"type": "string"}, "country": {"type": "string"}}
SCHEMA = {"type": "object", "properties": CITY, "required": list(CITY), "additionalProperties": False}
WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}


def post(body: dict) -> object:
    path = "/responses" if API == "responses" else "/chat/completions"
    data = json.dumps({"model": os.environ["CLIENT_MODEL"], **body}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    request = urllib.request.Request(os.environ["CLIENT_URL"] + path, data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=15)


def whole(body: dict) -> str:
    said = json.load(post(body))
    if API == "chat":
        return said["choices"][0]["message"]["content"]
    return next(item for item in said["output"] if item["type"] == "message")["content"][0]["text"]


def events(body: dict) -> list[dict]:
    lines = [line.decode().strip() for line in post({**body, "stream": True})]
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    return [json.loads(one) for one in data if one != "[DONE]"]


def streamed(body: dict) -> tuple[str, list[dict]]:
    """The text and the calls of a stream."""
    text, calls = "", {}
    for event in events(body):
        if API == "chat":
            delta = event["choices"][0]["delta"]
            text += delta.get("content") or ""
            for call in delta.get("tool_calls") or ():
                if "index" in call:  # As some clients do, it drops a call without one.
                    known = calls.setdefault(call["index"], {"id": call.get("id"), "name": "", "arguments": ""})
                    known["name"] += call["function"].get("name") or ""
                    known["arguments"] += call["function"].get("arguments") or ""
        elif event["type"] == "response.output_text.delta":
            text += event["delta"]
        elif event["type"] == "response.output_item.done" and "output_index" in event:
            item = event["item"]
            if item["type"] == "function_call":
                calls[event["output_index"]] = {**item, "id": item["call_id"]}
    return text, list(calls.values())


def asking() -> dict:
    if API == "responses":
        return {"input": [{"type": "message", "role": "user", "content": PROMPT}]}
    return {"messages": [{"role": "user", "content": PROMPT}]}


def tools() -> str:
    chat = API == "chat"
    history = asking()["messages" if chat else "input"]
    offered = [{"type": "function", "function": WEATHER} if chat else {"type": "function", **WEATHER}]
    for _ in range(3):
        text, calls = streamed({"messages" if chat else "input": history, "tools": offered})
        if not calls:
            return text
        for call in calls:
            said = {"name": call["name"], "arguments": call["arguments"]}
            result = "17 degrees"
            if chat:
                asked = {"id": call["id"], "type": "function", "function": said}
                history += [
                    {"role": "assistant", "content": None, "tool_calls": [asked]},
                    {"role": "tool", "tool_call_id": call["id"], "content": result},
                ]
            else:
                history += [
                    {"type": "function_call", "call_id": call["id"], **said},
                    {"type": "function_call_output", "call_id": call["id"], "output": result},
                ]
    return text


def structured() -> str:
    form = {"name": "city", "schema": SCHEMA, "strict": True}
    if API == "responses":
        return json.dumps(json.loads(whole({**asking(), "text": {"format": {"type": "json_schema", **form}}})))
    asked = {"type": "json_schema", "json_schema": form}
    return json.dumps(json.loads(whole({**asking(), "response_format": asked})))


if HABIT == "silent":
    sys.exit(0)
if HABIT == "hangs":
    time.sleep(600)
if HABIT == "forks":
    child = subprocess.Popen(["sleep", "600"], start_new_session=False)
    print(child.pid)
if HABIT == "network":
    socket.create_connection(("127.0.0.1", int(os.environ["OTHER_PORT"])), timeout=2)
while HABIT == "retries":
    try:
        post(asking())
    except OSError:
        time.sleep(0.01)
if HABIT == "wrong":
    whole(asking())
    print("Berlin")
    sys.exit(0)
try:
    if TASK == "streamed":
        print(streamed(asking())[0])
    elif TASK == "tools":
        print(tools())
    elif TASK == "structured":
        print(structured())
    else:
        print(whole(asking()))
except urllib.error.HTTPError as refused:
    print("error:", json.load(refused)["error"]["message"], file=sys.stderr)
    sys.exit(1)
