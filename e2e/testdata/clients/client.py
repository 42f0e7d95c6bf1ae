"""Does what a program of a Python library does, with what the library sends by itself: client.py LIBRARY URL."""
import asyncio
import json
import sys
import urllib.error
import urllib.request

library, url = sys.argv[1:]


def with_urllib(method, path, value=None, text=None, headers=None):
    body = text.encode() if text is not None else json.dumps(value).encode() if value is not None else None
    headers = dict(headers or {})
    if value is not None:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url + path, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, dict(answer.headers), answer.read().decode()


def with_requests(method, path, value=None, text=None, headers=None):
    import requests

    answer = requests.request(method, url + path, json=value, data=text, headers=headers)
    return answer.status_code, answer.headers, answer.text


def with_httpx(method, path, value=None, text=None, headers=None):
    import httpx

    answer = httpx.request(method, url + path, json=value, content=text, headers=headers)
    return answer.status_code, answer.headers, answer.text


def with_aiohttp(method, path, value=None, text=None, headers=None):
    import aiohttp

    async def ask():
        async with aiohttp.ClientSession() as session:
            async with session.request(method, url + path, json=value, data=text, headers=headers) as answer:
                return answer.status, answer.headers, await answer.text()

    return asyncio.run(ask())


ask = {"urllib": with_urllib, "requests": with_requests, "httpx": with_httpx, "aiohttp": with_aiohttp}[library]
for line in sys.stdin:
    order = json.loads(line)
    status, headers, text = ask(order["method"], order["path"], order.get("value"), order.get("text"), order.get("headers"))
    print(json.dumps({"status": status, "etag": headers.get("ETag", headers.get("Etag", "")), "body": text}), flush=True)
