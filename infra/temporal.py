"""Temporal: the one data converter, and the one way to connect.

Client, worker, replayer and codec endpoint all take `data_converter`, so that what one writes the others read.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RetryConfig, RPCError

from infra.codec import EncryptionCodec, Keyring
from infra.settings import Settings
from schema.errors import OrchestratorUnavailable, PayloadTooLarge
from schema.policies import PAYLOAD_BYTES_MAX

CONNECT_TIMEOUT = timedelta(seconds=5)
RETRY_MAX = timedelta(seconds=3)
"""How long the client itself repeats a call that failed on the way; the caller hears of it after that."""


class BoundedPayloadConverter(PydanticPayloadConverter):
    """Pydantic models as JSON, none larger than the policy: what is larger travels as a reference to an object."""

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Convert; in a workflow this comes before the command that would carry them, so nothing is scheduled.

        Raises:
            ApplicationError: `payload_too_large`, for good; raised as one because no boundary is between here and
                Temporal, whether the value is an argument or a result.
        """
        payloads = super().to_payloads(values)
        for payload in payloads:
            if (size_bytes := len(payload.data)) > PAYLOAD_BYTES_MAX:
                raise ApplicationError(
                    f"A value of {size_bytes} bytes may not travel, at most {PAYLOAD_BYTES_MAX}: store it and pass its "
                    "reference.",
                    type=PayloadTooLarge.code,
                    non_retryable=True,
                )
        return payloads


def payload_codec(settings: Settings) -> EncryptionCodec | None:
    """Return the codec, or None where no payload key is configured."""
    if settings.payload_keys is None:
        return None
    return EncryptionCodec(Keyring.parse(settings.payload_keys.get_secret_value()))


def data_converter(settings: Settings) -> DataConverter:
    """Return the converter of every process: Pydantic models, encrypted, with encrypted failure messages."""
    return DataConverter(
        payload_converter_class=BoundedPayloadConverter,
        payload_codec=payload_codec(settings),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(settings: Settings, *, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """Return a client.

    Address, namespace and API key come from `settings`; TLS and gRPC headers from the standard `TEMPORAL_*` variables.

    Args:
        lazy: connect at the first call, so that a process starts while Temporal is down. A worker needs an eager one.
        runtime: the process's runtime, where it exports metrics.

    Raises:
        OrchestratorUnavailable: Temporal did not answer (eager only).
    """
    standard = ClientConfig.load_client_connect_config(
        override_env_vars={
            **{name: value for name, value in os.environ.items() if name.startswith("TEMPORAL_")},
            "TEMPORAL_ADDRESS": settings.temporal_address,
            "TEMPORAL_NAMESPACE": settings.temporal_namespace,
        }
    )
    api_key = settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None
    tls = standard.get("tls")
    try:
        return await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            api_key=api_key,
            tls=tls if tls is not None else (True if api_key else None),
            rpc_metadata=standard.get("rpc_metadata") or {},
            data_converter=data_converter(settings),
            retry_config=RetryConfig(max_elapsed_time_millis=int(RETRY_MAX.total_seconds() * 1000), max_retries=5),
            connect_timeout=CONNECT_TIMEOUT,
            # Payloads are encrypted, so gzip finds nothing in them to shorten and only costs processor time.
            grpc_compression=GrpcCompression.NONE,
            lazy=lazy,
            runtime=runtime,
        )
    except (RuntimeError, RPCError) as error:
        raise OrchestratorUnavailable(f"Temporal at {settings.temporal_address} does not answer.") from error


async def temporal_ready(client: Client, *, timeout: timedelta = timedelta(seconds=2)) -> None:
    """Ask for the namespace once: the frontend, its store and the namespace must all be there.

    Raises:
        OrchestratorUnavailable: it did not answer within `timeout`, or the namespace is missing.
    """
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), retry=False, timeout=timeout
        )
    except (RuntimeError, RPCError) as error:
        raise OrchestratorUnavailable("Temporal does not answer.") from error
