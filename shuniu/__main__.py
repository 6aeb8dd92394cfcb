"""The `shuniu` command, also as `python -m shuniu`. Nothing else is imported here: what keeps the rest from being
loaded (no memory, no descriptors, a damaged installation) must not end with 1, which of `shuniu verify` means INVALID.
"""

import os

# As sysexits.h has it: the command failed by itself.
_EX_SOFTWARE = 70


def main() -> None:
    try:
        from shuniu.cli.main import main as run

        run()
    except Exception as error:  # noqa: BLE001 — whatever it is, it is no verdict
        name = type(error).__name__
        said = f"程序未能运行，未得出结论：{name} / it could not run, nothing was concluded: {name}\n"
        try:
            os.write(2, said.encode())
        finally:
            os._exit(_EX_SOFTWARE)


if __name__ == "__main__":
    main()
