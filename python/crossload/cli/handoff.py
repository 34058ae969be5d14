"""`crossload handoff`: write a bundle as a project that the receiver builds and that tests itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crossload.cli import options
from crossload.cli.framework import CONVERSION, WHAT, Command, option
from crossload.errors import CrossloadError

# The receivers that have an option.
_OWNERS = {
    "release": ("java",),
    "build": ("java",),
    "without_vectors": ("java",),
    "package": ("java", "android"),
    "arena": ("tflm",),
    "flash": ("tflm",),
}


@click.command(
    name="handoff",
    cls=Command,
    examples=[
        "handoff digits/ --to java -o digits-java/",
        "handoff digits/ --to java -o digits-java/ --package com.example.digits --release 0.5.0",
        "handoff digits/ --to java -o digits-java/ --artifact graph_def --overwrite",
        "handoff digits/ --to java -o digits-java/ --build gradle --without-vectors",
        "handoff digits/ --to c -o digits-c/ --artifact tflite",
        "handoff digits/ --to tflm -o digits-tflm/ --artifact tflite:int8 --flash 262144",
        "handoff digits/ --to android -o digits-android/ --artifact tflite --package com.example.digits",
        "handoff digits/ --to ios -o digits-ios/ --artifact tflite",
    ],
    exit_status="0 written, 2 input that cannot be used.",
)
@click.argument("bundle", type=click.Path(path_type=Path))
@option(
    "--to",
    type=click.Choice(["java", "c", "tflm", "android", "ios"]),
    required=True,
    group=CONVERSION,
    help="The receiver: java is a Maven or Gradle project for Java 17 or newer, c a C99 project over LiteRT's C API, tflm a project over "
    "TensorFlow Lite Micro for microcontrollers, android a Gradle project, ios a Swift package and a pod over TensorFlow Lite.",
)
@option(
    "--release",
    metavar="VERSION",
    group=CONVERSION,
    help="The release of TensorFlow Java: 1.1.0 (the default), 1.0.0, 0.5.0, 0.4.2, 0.3.3, or 1.15.0, TensorFlow 1's own API.",
)
@option("--package", metavar="NAME", group=CONVERSION, help="With java, android: the package; default: com.example. and the model's name.")
@option(
    "--build",
    type=click.Choice(["maven", "gradle"]),
    group=CONVERSION,
    help="java: the tool that builds the project, maven (the default) or gradle with Kotlin's DSL.",
)
@option(
    "--without-vectors",
    is_flag=True,
    default=None,
    group=CONVERSION,
    help="java: leave out the recorded answers, whose requests may be confidential; the project's test then only loads the model.",
)
@option(
    "--arena",
    metavar="SIZE",
    group=CONVERSION,
    help="tflm: the bytes of the tensor arena (20000, 64K); default: the smallest in which tflite-micro answers, and a quarter.",
)
@option(
    "--flash",
    metavar="SIZE",
    group=CONVERSION,
    help="tflm: refuse a model that has more bytes (262144, 256K), or more with its vectors.",
)
@option("--artifact", "-a", metavar="ID", group=WHAT, help="The artifact to hand over; default: the first one that the receiver loads.")
@option("--output", "-o", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="The project's folder.")
@option("--overwrite", is_flag=True, help="Replace an existing handoff.")
def command(bundle: Path, to: str, output: Path, artifact: str | None, overwrite: bool, **chosen: Any) -> None:
    """Write BUNDLE as a project in the receiver's language.

    The project holds the artifact, its manifest and recorded answers, a typed client (a function for each signature, with a record for
    its inputs and one for its outputs), a test over all vectors, a main program and a README. It needs neither Python nor crossload: for
    Java a JDK and Maven or Gradle, for C a compiler, make and libLiteRt.so, for a microcontroller its compiler and TensorFlow Lite
    Micro's sources, for Android its SDK and Gradle, for iOS Xcode. Its test proves that the model gives the recorded answers there.
    """
    from crossload.verbs.handoff.handoff import handoff

    given = {name: value for name, value in chosen.items() if value is not None}
    for name in given:
        if to not in (owners := _OWNERS[name]):
            raise CrossloadError(f"--{name.replace('_', '-')} is of --to {' and '.join(owners)}, and this is --to {to}; leave it out")
    if to == "tflm":
        given |= {name: options.size(f"--{name}", given[name]) for name in ("arena", "flash") if name in given}
        given["progress"] = lambda text: click.echo(text, err=True)
    made = handoff(bundle, output, to=to, artifact=artifact, overwrite=overwrite, **given)
    click.echo(f"{made.root}: {made.client} for {made.engine}; {made.artifact.id}, {made.signatures} signature(s), {made.vectors} vectors")
    for note in made.notes:
        click.echo(note)
    for signature, reason in made.left_out.items():
        click.echo(f"left out: {signature}: {reason}")
    click.echo(f"next: {made.test}")
