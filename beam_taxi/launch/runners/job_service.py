"""A Beam job service, asked with time limits: Beam's own client waits without end for a service that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from beam_taxi.launch.runners.endpoints import SECONDS, refuses


class JobState(str, Enum):
    """What is known of a job."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_FOUND = "not found"
    NO_ANSWER = "no answer"

    @property
    def has_ended(self) -> bool:
        """Whether the job is known to have ended."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


_STATES = {"DONE": JobState.DONE, "FAILED": JobState.FAILED, "CANCELLED": JobState.CANCELLED}


class JobService:
    """A job service at `HOST:PORT`. Each call has a connection of its own, so that a service may come back."""

    def __init__(self, address: str) -> None:
        self.address = address

    def state(self, job_id: str) -> JobState:
        """Return the state of a job."""
        import grpc
        from apache_beam.portability.api import beam_job_api_pb2 as api

        try:
            with self._stub() as stub:
                state = stub.GetState(api.GetJobStateRequest(job_id=job_id), timeout=SECONDS).state
        except grpc.RpcError as error:
            return JobState.NOT_FOUND if error.code() == grpc.StatusCode.NOT_FOUND else JobState.NO_ANSWER
        return _STATES.get(api.JobState.Enum.Name(state), JobState.RUNNING)

    def is_gone(self) -> bool:
        """Return whether nothing listens at the address any more."""
        return refuses(self.address)

    def find(self, name: str) -> str | None:
        """Return the id of a job by its name, empty if there is none, None if the service cannot say."""
        import grpc
        from apache_beam.portability.api import beam_job_api_pb2 as api

        try:
            with self._stub() as stub:
                jobs = stub.GetJobs(api.GetJobsRequest(), timeout=SECONDS).job_info
        except grpc.RpcError:
            return None
        return next((job.job_id for job in jobs if job.job_name == name or job.job_id.startswith(f"{name}_")), "")

    def cancel(self, job_id: str) -> str:
        """Cancel a job; return the reason if the service does not answer, else an empty text."""
        import grpc
        from apache_beam.portability.api import beam_job_api_pb2 as api

        try:
            with self._stub() as stub:
                stub.Cancel(api.CancelJobRequest(job_id=job_id), timeout=SECONDS)
        except grpc.RpcError as error:
            return f"the job service at {self.address} does not answer ({error.code().name})"
        return ""

    def errors(self, job_id: str) -> str:
        """Return the text of the last error of a job that has ended, empty if there is none."""
        import grpc
        from apache_beam.portability.api import beam_job_api_pb2 as api

        texts = []
        try:
            with self._stub() as stub:
                for message in stub.GetMessageStream(api.JobMessagesRequest(job_id=job_id), timeout=SECONDS):
                    response = message.message_response
                    if response.importance == api.JobMessage.JOB_MESSAGE_ERROR:
                        texts.append(response.message_text)
        except grpc.RpcError:
            # Some services leave the stream open.
            pass
        return "\n".join(texts)

    @contextmanager
    def _stub(self) -> Iterator[Any]:
        import grpc
        from apache_beam.portability.api import beam_job_api_pb2_grpc

        options = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(self.address, options) as channel:
            yield beam_job_api_pb2_grpc.JobServiceStub(channel)
