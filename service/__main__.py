"""The command `facenet`: run the service, or call a running service."""

import os
import signal
import sys

# A service that is told to stop while it imports ends at once: nothing is open yet. Later, the event loop handles the
# signal. Process 1 of a container has no default handler, so without this one it would ignore the signal.
if sys.argv[1:2] == ["serve"]:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
# Ctrl-C during the imports ends the command without the trace of an import.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# NumPy and FAISS read these when they are imported. Each call gets one thread, because requests run in parallel.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
from functools import partial
from importlib import metadata
from typing import Annotated

import typer

from service.commands import audit, key_commands
from service.commands.enrolment import commands as enrolment
from service.commands.installation import commands as installation
from service.commands.moving import backup_commands
from service.commands.moving import commands as moving
from service.commands.output import INTERRUPTED, ends_silently_if_nobody_reads, printable, say
from service.commands.recognition import commands as recognition
from service.commands.sorting import commands as sorting
from service.domain.command_errors import ClientError, StartupError
from service.domain.errors import RateNotMeasured

if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
    signal.signal(signal.SIGINT, signal.default_int_handler)

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
for group in (enrolment, recognition, sorting, moving, backup_commands, installation):
    app.add_typer(group.app)
app.add_typer(key_commands.app, name="keys")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command. An expected error is printed as one line on standard error, and the exit code is 1."""
    try:
        with ends_silently_if_nobody_reads():
            app()
    except (StartupError, ClientError, RateNotMeasured) as error:
        say(printable(str(error)))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # typer's way
    if is_asked:
        print(f"facenet {metadata.version('facenet-service')}")  # noqa: T201  # its output
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[  # noqa: FBT002  # typer's way
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version, and end")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


@app.command()
def serve() -> None:
    """Run the service until SIGTERM. Settings come from the environment; `facenet settings` lists them."""
    import uvloop  # noqa: PLC0415  # the other commands need neither the event loop nor the models

    from service.api.server.server import run_server  # noqa: PLC0415
    from service.app import open_app, server_options  # noqa: PLC0415
    from service.observability.heap import limit_heaps  # noqa: PLC0415
    from service.observability.logs import configure_logs  # noqa: PLC0415
    from service.observability.process_limits import raise_descriptor_limit  # noqa: PLC0415
    from service.settings.environment import load_settings  # noqa: PLC0415

    settings = load_settings()
    configure_logs(settings.log.level, settings.log.format)
    raise_descriptor_limit()
    limit_heaps()
    uvloop.run(run_server(server_options(settings), partial(open_app, settings)))


@app.command()
def openapi() -> None:
    """Print the OpenAPI description, as the service returns it at /openapi.json."""
    from service.app import describe_app  # noqa: PLC0415  # the other commands need no models
    from service.settings.environment import load_settings  # noqa: PLC0415

    print(json.dumps(describe_app(load_settings()).openapi(), indent=2))  # noqa: T201  # its output


if __name__ == "__main__":
    main()
