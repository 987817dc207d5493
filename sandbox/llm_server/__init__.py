"""A local stand-in for a language model behind an OpenAI-compatible API, with a written policy and faults on demand."""

from sandbox.llm_server.fault_form import FormError
from sandbox.llm_server.latency import Latency
from sandbox.llm_server.options import DEFAULT_API_KEY, LlmOptions
from sandbox.llm_server.server import RunningLlmServer, run, running_llm_server

__all__ = [
    "DEFAULT_API_KEY",
    "FormError",
    "Latency",
    "LlmOptions",
    "RunningLlmServer",
    "run",
    "running_llm_server",
]
