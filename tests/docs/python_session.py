"""The Python of a page: runs its blocks one after the other, in one namespace, and says what they print."""

import ast
import contextlib
import io
import json
import sys
import traceback

ANSWERS = sys.stdout


def main() -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for request in sys.stdin:
        page, line, text = json.loads(request)
        output, failure = io.StringIO(), ""
        with contextlib.redirect_stdout(output):
            try:
                tree = ast.parse(text, page)
                ast.increment_lineno(tree, line - 1)
                exec(compile(tree, page, "exec"), namespace)
            except BaseException:
                failure = traceback.format_exc()
        ANSWERS.write(json.dumps([output.getvalue(), failure]) + "\n")
        ANSWERS.flush()


if __name__ == "__main__":
    main()
