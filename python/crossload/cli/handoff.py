"""`crossload handoff`: write a bundle as a project that the receiver builds and that tests itself."""

from __future__ import annotations

from pathlib import Path

import click

from crossload.cli.framework import CONVERSION, WHAT, Command, option


@click.command(
    name="handoff",
    cls=Command,
    examples=[
        "handoff digits/ --to java -o digits-java/",
        "handoff digits/ --to java -o digits-java/ --package com.example.digits --release 0.5.0",
        "handoff digits/ --to java -o digits-java/ --artifact graph_def --overwrite",
    ],
    exit_status="0 written, 2 input that cannot be used.",
)
@click.argument("bundle", type=click.Path(path_type=Path))
@option(
    "--to", type=click.Choice(["java"]), required=True, group=CONVERSION, help="The receiver: java is a Maven project for Java 17 or newer."
)
@option(
    "--release",
    default="1.1.0",
    show_default=True,
    metavar="VERSION",
    group=CONVERSION,
    help="The release of TensorFlow Java: 1.1.0, 1.0.0, 0.5.0, 0.4.2, 0.3.3, or 1.15.0, TensorFlow 1's own API.",
)
@option("--package", metavar="NAME", group=CONVERSION, help="The Java package; default: com.example. and the model's name.")
@option("--artifact", "-a", metavar="ID", group=WHAT, help="The artifact to hand over; default: the first one that the release loads.")
@option("--output", "-o", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="The project's folder.")
@option("--overwrite", is_flag=True, help="Replace an existing handoff.")
def command(bundle: Path, to: str, output: Path, release: str, package: str | None, artifact: str | None, overwrite: bool) -> None:
    """Write BUNDLE as a project in the receiver's language.

    The project holds the artifact, its manifest and recorded answers, a typed client (one method per signature, with a record for its
    inputs and one for its outputs), a test over all vectors, a main class and a README. It needs a JDK and Maven, but neither Python
    nor crossload. `mvn test` proves that the model gives the recorded answers there.
    """
    from crossload.verbs.handoff.handoff import handoff

    made = handoff(
        bundle,
        output,
        to=to,
        release=release,
        package=package,
        artifact=artifact,
        overwrite=overwrite,
    )
    click.echo(
        f"{made.root}: {made.package}.{made.client} for TensorFlow Java {made.release}; {made.artifact.id}, "
        f"{made.signatures} signature(s), {made.vectors} vectors"
    )
    for signature, reason in made.left_out.items():
        click.echo(f"left out: {signature}: {reason}")
    click.echo(f"next: mvn -f {made.root} test")
