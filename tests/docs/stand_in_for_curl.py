"""What the pages ask of curl, on machines that have none."""

import argparse
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    headers = dict(header.split(": ", 1) for header in options.header)
    body = None if options.data is None else options.data.encode()
    request = urllib.request.Request(options.url, data=body, headers=headers, method=options.method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, said, content = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        status, said, content = refused.code, refused.headers, refused.read()
    if options.include:
        head = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in said.items()), "", ""]
        sys.stdout.write("\r\n".join(head))
        sys.stdout.flush()
    if options.fail and status >= 400:
        return 22
    if options.output is None:
        sys.stdout.buffer.write(content)
    else:
        Path(options.output).write_bytes(content)
    sys.stdout.write(options.write.replace("%{http_code}", str(status)).replace("\\n", "\n"))
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-f", "--fail", action="store_true")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-o", "--output")
    parser.add_argument("-w", "--write", default="")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-X", "--method")
    parser.add_argument("-d", "--data")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
