"""momentarium config"""

from collections.abc import Mapping
from enum import StrEnum
from json import dumps
from typing import Annotated, Any

import typer

from momentarium_cli.cli.app import CONTEXT, ShowByDefault, app, command
from momentarium_cli.cli.output import plain, print_json, say
from momentarium_cli.cli.session import Session
from momentarium_cli.config import Definition, default_config_file, definitions
from momentarium_cli.errors import SettingsError, UsageError

config = typer.Typer(
    help="The settings; alone, it shows every one of them, its value, and where it came from.",
    cls=ShowByDefault,
    context_settings=CONTEXT,
)
app.add_typer(config, name="config")


class Documents(StrEnum):
    POLICY = "policy"
    CORS = "cors"
    LIFECYCLE = "lifecycle"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Only = Annotated[Documents | None, typer.Option("--only", help="Print this document alone, as `aws` takes it.")]
Bucket = Annotated[str | None, typer.Option("--bucket", metavar="NAME", help="Of this bucket only; none: of all.")]
Principal = Annotated[
    str | None,
    typer.Option("--principal", metavar="ARN", help="Make the policy one of the bucket, for this user or role."),
]


@command(config, client=True)
def show(session: Session, json: Json = False) -> None:
    """Show every setting, its value, and where it came from."""
    file = session.config_file or default_config_file()
    if json:
        values = {item.key: _as_json(session, item) for item in definitions()}
        print_json({"schema": 1, "file": str(file), "settings": values})
        return
    for item in definitions():
        value = _value(session, item)
        shown = "none" if value is None else plain(str(value))
        typer.echo(f"{item.key} = {shown}  ({session.settings.origins[item.key]})")
        typer.echo(f"    {item.help}  [{item.environment}]")
    say(f"The settings file is {file}{'' if file.exists() else ' (there is none yet)'}.")


@command(config, "s3-policy")
def s3_policy(session: Session, only: Only = None, bucket: Bucket = None, principal: Principal = None) -> None:
    """Print the least rights that the credentials need on S3, the rules for browsers, and for unfinished uploads.

    The policy is one for IAM, to be attached to a user or role; with --principal it is one for the bucket. Its part
    MomentariumDoctor serves only `momentarium doctor`. `aws s3api put-bucket-policy`, `put-bucket-cors` and
    `put-bucket-lifecycle-configuration` replace what a bucket has: where it has rules of its own, add these to them.
    """
    documents = _documents(session, principal)
    if bucket is not None and bucket not in documents:
        raise UsageError(f"There is no bucket {bucket} in the settings.", hint=f"There is: {', '.join(documents)}.")
    wanted = {name: made for name, made in documents.items() if bucket in (name, None)}
    if only is None:
        _print({"schema": 1, "buckets": [{"bucket": name, **made} for name, made in wanted.items()]})
    elif len(wanted) > 1:
        raise UsageError("There are several buckets.", hint=f"Add --bucket, with one of: {', '.join(wanted)}.")
    else:
        _print(*(made[only] for made in wanted.values()))


def _documents(session: Session, principal: str | None) -> Mapping[str, Mapping[str, Any]]:
    """By bucket, then by kind."""
    from momentarium_cli.backend.storage import s3_policy as documents
    from momentarium_cli.backend.wiring import s3_buckets

    buckets = s3_buckets(session.settings.storage)
    if not buckets:
        raise SettingsError("The originals are not on S3.", hint="Set storage.url to s3://bucket first.")
    if any(options.bucket.startswith("arn:") for options in buckets):
        say("The bucket behind an access point must leave access to it (s3:DataAccessPointAccount in its own policy).")
    if session.settings.storage.cdn_url:
        say("CloudFront needs s3:GetObject in the bucket's policy, for its distribution (origin access control).")
    public_url = session.settings.server.public_url
    return {
        f"{options.bucket}/{options.prefix}".rstrip("/"): {
            Documents.POLICY: documents.policy(options, principal),
            Documents.CORS: documents.cors(public_url),
            Documents.LIFECYCLE: documents.lifecycle(options),
        }
        for options in buckets
    }


def _print(document: Mapping[str, Any]) -> None:
    typer.echo(dumps(document, indent=2))


def _value(session: Session, item: Definition) -> Any:
    value = session.settings.value(item.key)
    return "***" if item.secret and value is not None else value


def _as_json(session: Session, item: Definition) -> dict[str, Any]:
    value = _value(session, item)
    return {
        "value": value if value is None or isinstance(value, int | float) else str(value),
        "from": session.settings.origins[item.key],
        "environment": item.environment,
    }
