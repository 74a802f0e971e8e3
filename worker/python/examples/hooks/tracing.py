"""Every run is a span of its execution's trace, and what it calls is below it. Put it into the workflows folder.

It needs `pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http`, and `OTEL_EXPORTER_OTLP_ENDPOINT` in the
environment of the workers (`worker_env`), where the supervisor's `otlp_url` points.
"""

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from muster_worker import context, on_run_start, on_worker_start

provider = TracerProvider(resource=Resource.create({"service.name": "workflows"}))
trace.set_tracer_provider(provider)


@on_worker_start
def connect() -> None:
    # A thread that sends: each worker has its own, also where workers are made of a template.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))


@on_run_start
def begin() -> None:
    # Each run has context variables of its own, so that what is attached here is gone after it.
    if context.traceparent:
        otel.attach(TraceContextTextMapPropagator().extract({"traceparent": context.traceparent}))
