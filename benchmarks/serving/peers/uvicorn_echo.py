"""uvicorn with nothing around it: `python uvicorn_echo.py bin 8000` sends every body back."""

import sys

import uvicorn


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[2]),
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
    )
