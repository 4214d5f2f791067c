"""boto3 sessions for the local stack, independent of the environment and the home directory."""

from __future__ import annotations

import os

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import ConstantProvider
from botocore.loaders import Loader

from local.emulator import ministack


def session(
    region: str, *, access_key: str = ministack.ACCESS_KEY, secret_key: str = ministack.SECRET_KEY
) -> boto3.Session:
    """Return a session with these keys, by default the administrator's; its clients need an `endpoint_url`.

    botocore's settings have their defaults: `AWS_*`, proxies, profiles and `~/.aws/config` are ignored.
    """
    variables = botocore.session.Session.SESSION_VARIABLES
    defaults = {
        name: (None, None, default, convert) for name, (_, _, default, convert) in variables.items()
    } | dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars=defaults)
    # Ignore the section `s3` of the configuration file, and its variables.
    core.get_component("config_store").set_config_provider("s3", ConstantProvider({}))
    # Ignore `~/.aws/models`.
    built_in = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    core.register_component("data_loader", built_in)
    # Ignore proxies, and AWS_EXECUTION_ENV in the user agent.
    core.set_default_client_config(Config(proxies={}, user_agent="cafe-orders"))
    # Every client creates a TLS context, even for HTTP, and the context opens this file.
    os.environ.pop("SSLKEYLOGFILE", None)
    return boto3.Session(
        botocore_session=core,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
    )
