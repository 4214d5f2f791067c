"""Fakes of the provider plugins `aws` and `random`, which Pulumi's engine attaches to.

They create nothing, and accept all inputs. Outputs come from `infra.recording`; `tests.program.replacements`
lists the inputs that replace a resource.
"""

from __future__ import annotations

import functools
import importlib
import keyword
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToDict, ParseDict  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]
from pulumi import _types
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.recording import MockProvider
from tests.program.replacements import FORCE_REPLACEMENT

# Properties that are auto-named; `name` for other types
NAMED = {"aws:rds/instance:Instance": "identifier", "aws:s3/bucket:Bucket": "bucket"}


class FakeProvider(provider_pb2_grpc.ResourceProviderServicer):
    """A fake of one plugin.

    Parameters
    ----------
    package
        `aws` or `random`.
    refused
        A resource whose creation or update fails, such as `Queue OrderQueue`; empty for none.
    """

    def __init__(self, package: str, refused: str) -> None:
        self.secrets: list[str] = []
        """Secrets that it returned to the engine."""
        self.deleted: list[str] = []
        """URNs of the resources that the engine deleted."""
        self._package = package
        self._refused = refused

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version(f"pulumi-{self._package}"))

    def Attach(self, request: Any, context: Any) -> Empty:
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Empty:
        return Empty()

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        result, _ = MockProvider().call(mocks.MockCallArgs(request.tok, MessageToDict(request.args), ""))
        return provider_pb2.InvokeResponse(**{"return": _struct(result)})

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        """Auto-name a resource without a name: by its old name, or the name that the engine proposes."""
        inputs, before = MessageToDict(request.news), MessageToDict(request.olds)
        key = NAMED.get(request.type, "name")
        if key not in inputs and key in _properties(request.type):
            inputs[key] = before.get(key) or request.autonaming.proposed_name
        return provider_pb2.CheckResponse(inputs=_struct(inputs))

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        before, after = MessageToDict(request.old_inputs), MessageToDict(request.news)
        changed = [key for key in before | after if before.get(key) != after.get(key)]
        diff = provider_pb2.DiffResponse
        return diff(
            changes=diff.DIFF_SOME if changed else diff.DIFF_NONE,
            diffs=changed,
            replaces=[key for key in changed if key in FORCE_REPLACEMENT.get(request.type, ())],
        )

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        self._refuse(request, context)
        # Each resource has unique outputs, also a replacement.
        name = f"{request.name}-{secrets.token_hex(4)}"
        inputs = MessageToDict(request.properties)
        identifier, outputs = MockProvider().new_resource(
            mocks.MockResourceArgs(request.type, name, inputs, "", "", True)
        )
        computed = {key: value for key, value in outputs.items() if key not in inputs}
        if request.preview:
            computed = dict.fromkeys(computed, rpc.UNKNOWN)
            return provider_pb2.CreateResponse(properties=_struct({**computed, **inputs}))
        computed |= {key: self._secret() for key, value in computed.items() if rpc.is_rpc_secret(value)}
        return provider_pb2.CreateResponse(id=str(identifier), properties=_struct({**computed, **inputs}))

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        self._refuse(request, context)
        computed = MessageToDict(request.olds).items()
        kept = {key: value for key, value in computed if key not in request.old_inputs.fields}
        return provider_pb2.UpdateResponse(properties=_struct({**kept, **MessageToDict(request.news)}))

    def Delete(self, request: Any, context: Any) -> Empty:
        self.deleted.append(request.urn)
        return Empty()

    def _refuse(self, request: Any, context: Any) -> None:
        if f"{request.type.rpartition(':')[2]} {request.name}" == self._refused and not request.preview:
            context.abort(grpc.StatusCode.UNKNOWN, f"{self._refused} is refused")

    def _secret(self) -> dict[str, str]:
        value = secrets.token_hex(16)
        self.secrets.append(value)
        return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


@contextmanager
def serving(provider: FakeProvider) -> Iterator[int]:
    """Serve a provider; yield its port."""
    server = grpc.server(ThreadPoolExecutor(32))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None)


@functools.cache
def _properties(kind: str) -> frozenset[str]:
    """Return the names of the outputs of a type such as `aws:sqs/queue:Queue`."""
    package, path, name = kind.split(":")
    module = path.split("/")[0].removesuffix("index")
    module += "_" if keyword.iskeyword(module) else ""
    owner = importlib.import_module(f"pulumi_{package}.{module}".removesuffix("."))
    return frozenset(_types.resource_pulumi_to_py_names(getattr(owner, name)))


def _struct(values: dict[str, Any]) -> Struct:
    struct: Struct = ParseDict(values, Struct())
    return struct
