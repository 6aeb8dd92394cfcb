"""Maps the refusals of the rules of flows to the hub's vocabulary."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.esign.domain.errors import EsignError
from services.esign.flows.domain.consent import ConsentError
from services.esign.flows.domain.life import FlowError
from services.esign.service.refusals import refusal
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError


@contextmanager
def refused() -> Iterator[None]:
    """Turns the rules' exceptions into HubError."""
    try:
        yield
    except FlowError as error:
        code = Code.NOT_FOUND if error.reason == "STEP_UNKNOWN" else Code.FAILED_PRECONDITION
        raise HubError(code, error.reason, error.en, error.zh, metadata=error.fields) from None
    except ConsentError as error:
        raise HubError(Code.PERMISSION_DENIED, error.reason, error.en, error.zh, metadata=error.fields) from None
    except EsignError as error:
        raise refusal(error) from None


def flow_unknown(flow_id: str) -> HubError:
    """The same for a flow that is not there and for one that the caller may not know."""
    return errors.not_found(
        "FLOW_UNKNOWN", "There is no such flow for you.", "没有该流程或您无权查看。", flow=flow_id[:64]
    )


def not_yours(step: str) -> HubError:
    return errors.denied("STEP_NOT_YOURS", "Another party takes this step.", "该步骤由其他参与方办理。", step=step[:40])


def document_changed(flow_id: str) -> HubError:
    return errors.precondition(
        "DOCUMENT_CHANGED",
        "This is not the document of the flow; show the party the present one.",
        "文件摘要与该流程的文件不一致，请重新展示文件后再签署。",
        flow=flow_id[:64],
    )
