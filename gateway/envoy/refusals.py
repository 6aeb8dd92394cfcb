"""The answers of the edge itself when it refuses: the hub's error vocabulary for gRPC and REST, a page for browsers."""

import base64
import html
import json
from dataclasses import dataclass

from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from gateway.too_large import sentences
from shuniu.kit.errors import Code
from shuniu.kit.rpc.wire import ERROR_DOMAIN

_UNKNOWN = 2
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the edge by its HTTP status. `over_grpc` is the number that Envoy derives for gRPC callers."""

    http: int
    code: Code
    over_grpc: int
    reason: str
    en: str
    zh: str
    token: bool = False
    """True where the token check is the cause: 401 always, though Envoy itself says 403 of a wrong audience."""
    path: str = ""
    """The path whose requests alone it is of; empty: all. Nobody calls it over gRPC."""
    calm: bool = False
    """True where nothing went wrong but the choice of a file: the page looks as where a script made the choice."""

    @property
    def again(self) -> bool:
        """True where the same request may succeed a second later (`Retry-After`, RFC 9110 10.2.3)."""
        return self.code in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE)

    @property
    def details(self) -> str:
        """Value of `grpc-status-details-bin`: base64 of a google.rpc.Status with the number that gRPC callers see."""
        status = status_pb2.Status(code=self.over_grpc, message=self.en)
        for detail in (
            error_details_pb2.ErrorInfo(reason=self.reason, domain=ERROR_DOMAIN),
            error_details_pb2.LocalizedMessage(locale="zh-CN", message=self.zh),
        ):
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return base64.b64encode(status.SerializeToString()).rstrip(b"=").decode()

    @property
    def json(self) -> str:
        """The same for REST, as the transcoder writes a service's errors."""
        kind = "type.googleapis.com/google.rpc."
        info = {"@type": f"{kind}ErrorInfo", "reason": self.reason, "domain": ERROR_DOMAIN}
        localized = {"@type": f"{kind}LocalizedMessage", "locale": "zh-CN", "message": self.zh}
        answer = {"code": self.code.value, "message": self.en, "details": [info, localized]}
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))

    @property
    def page(self) -> str:
        """The same for people, whose browser sent a form or follows a link: no script of a page reads the JSON then."""
        zh, en = html.escape(self.zh), html.escape(self.en)
        title, box, heading = "无法完成请求", "alert", ""
        if self.calm:
            title, box, heading = "核验文件", "alert calm", "<h2>没有核验</h2>"
        return (
            '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<title>无法完成请求 / The request cannot be completed</title>"
            '<link rel="stylesheet" href="/static/style.css"></head><body><main id="main"><div class="reading">'
            f'<h1>{title}</h1><div class="{box}" role="alert">{heading}<p>{zh}</p><p lang="en">{en}</p></div>'
            '<p><a href="/verify">返回核验页面 / Back to verification</a></p></div></main></body></html>'
        )


def refusals(
    document_bytes: int, request_bytes: int, form_bytes: int, upload_paths: tuple[str, ...] = ()
) -> tuple[Refusal, ...]:
    """All of them; the first that fits is answered. The largest request with a document, any other of a platform, and
    any other of people; `upload_paths`: where people send a document in a form, which has a MiB for its other parts.
    """
    document, request, form = document_bytes // _MIB, request_bytes // _MIB, form_bytes // 1024
    of_documents = sentences(document_bytes - _MIB)
    return (
        *(
            Refusal(413, Code.INVALID_ARGUMENT, _UNKNOWN, "REQUEST_TOO_LARGE", *of_documents, path=path, calm=True)
            for path in upload_paths
        ),
        Refusal(
            401,
            Code.UNAUTHENTICATED,
            Code.UNAUTHENTICATED.value,
            "TOKEN_INVALID",
            "The access token is missing, expired or not valid here; ask for a new one.",
            "访问令牌缺失、过期或无效，请重新获取令牌。",
            token=True,
        ),
        Refusal(
            403,
            Code.PERMISSION_DENIED,
            Code.PERMISSION_DENIED.value,
            "PLATFORM_SUSPENDED",
            "This platform is suspended; contact the hub's operator.",
            "该平台已被停用，请联系枢纽管理员。",
        ),
        Refusal(
            400,
            Code.INVALID_ARGUMENT,
            Code.INTERNAL.value,
            "REQUEST_MALFORMED",
            "The request does not fit the contract; check path, parameters and body.",
            "请求格式不符合接口约定，请检查路径、参数和内容。",
        ),
        Refusal(
            404,
            Code.NOT_FOUND,
            Code.UNIMPLEMENTED.value,
            "RPC_UNKNOWN",
            "No such call on this listener; check method and path.",
            "此入口没有该接口，请检查方法和路径。",
        ),
        Refusal(
            408,
            Code.DEADLINE_EXCEEDED,
            _UNKNOWN,
            "REQUEST_SLOW",
            "The request did not arrive in time; send it again, over a faster connection.",
            "请求未能在规定时间内送达，请换用更快的网络后重试。",
        ),
        Refusal(
            413,
            Code.INVALID_ARGUMENT,
            _UNKNOWN,
            "REQUEST_TOO_LARGE",
            f"The request is larger than this call accepts ({document} MiB with a document to verify, {request} MiB "
            f"from platforms, {form} KiB from people otherwise); sent again it is refused again. Do not make a signed "
            "document smaller, which destroys its signature: ask its issuer, or verify by hash, number or QR code.",
            f"请求内容超过上限（核验文件 {document} MiB；其他：平台 {request} MiB，个人 {form} KiB），重发结果相同。"
            "请勿自行压缩已签章的文件，那会使签章失效；请联系出具单位，或改用摘要、编号、二维码核验。",
        ),
        Refusal(
            429,
            Code.RESOURCE_EXHAUSTED,
            Code.RESOURCE_EXHAUSTED.value,
            "RATE_LIMITED",
            "Too many calls in a second, or too much being sent at once; slow down and retry.",
            "请求过于频繁，或同时发送的内容过多，请稍后重试。",
        ),
        Refusal(
            503,
            Code.UNAVAILABLE,
            Code.UNAVAILABLE.value,
            "SERVICE_AWAY",
            "The service is away for the moment; retry with the same request_id.",
            "服务暂时不可用，请使用相同的 request_id 重试。",
        ),
        Refusal(
            504,
            Code.DEADLINE_EXCEEDED,
            Code.UNAVAILABLE.value,
            "SERVICE_SLOW",
            "The service did not answer in time; retry with the same request_id.",
            "服务响应超时，请使用相同的 request_id 重试。",
        ),
    )
