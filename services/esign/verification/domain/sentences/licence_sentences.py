"""Sentences for a clerk on a QR code or a presented licence for each reason. Data only; see `verdict_sentences`."""

from collections.abc import Mapping

from services.esign.domain.verdict import Form, Sentence
from services.esign.verification.domain.sentences import verdict_sentences as say
from services.esign.verification.domain.sentences.verdict_sentences import Words, each, words

OF_STEP: Mapping[tuple[str, str], Words] = {
    **dict.fromkeys(
        (
            ("parse", "ALGORITHM"),
            ("parse", "TYPE"),
        ),
        words(
            say.UNREADABLE_LICENCE,
            "粘贴的内容不是本枢纽可以读取的电子证照。",
            "What was pasted is not an electronic licence that this hub reads.",
            say.ANOTHER_WALLET,
        ),
    ),
}
"""By step and reason, where the same reason means different things."""
_CODE: Mapping[str, Words] = {
    "QR_SIGNATURE": words(
        say.FALSE_CODE, "二维码的签名与内容不符。", "The code's signature does not fit its content.", say.ORIGINAL
    ),
    "QR_MALFORMED": words(
        Sentence(
            "这不是本枢纽的证明二维码，没有核验；这不表示证明是假的。",
            "This is not the code of a certificate of this hub, so nothing was verified; this does not mean that the "
            "certificate is false.",
        ),
        "内容不是本枢纽二维码的格式，也可能没有扫全。",
        "Its content is not of this hub's form, or was not scanned completely.",
        Sentence(
            "请重新扫描证明上的二维码；仍不能识别时不要只凭纸面接受，请上传电子原件，或到证明所写机构的核验页面核验。",
            "Scan the code again; if it is still not recognised, do not rely on the paper alone: verify the file, or "
            "ask on the page of the agency named on the certificate.",
        ),
    ),
    "QR_KEY_UNKNOWN": words(
        Sentence("二维码的签发者无法确认，真伪尚无结论。", "Who made the code cannot be confirmed."),
        "签署二维码的密钥不属于本枢纽。",
        "The code is signed with a key that is not this hub's.",
        Sentence(
            "请到证明上所写机构的核验页面核验，或向出具单位核实。",
            "Verify it at the page of the agency named on the certificate, or ask the issuer.",
        ),
    ),
}
_LICENCE: Mapping[str, Words] = {
    "LICENCE_EXPIRED": words(say.NOT_IN_FORCE, "证照已过有效期。", "The licence is past its validity.", say.NEW_ONE),
    "LICENCE_REVOKED": words(
        say.NOT_IN_FORCE, "证照已被签发机构注销。", "The issuer has revoked the licence.", say.NEW_ONE
    ),
    "LICENCE_SUSPENDED": words(
        say.NOT_IN_FORCE,
        "证照已被签发机构暂停使用。",
        "The issuer has suspended the licence.",
        Sentence(
            "不要采信；请持有人联系签发机构恢复使用。",
            "Do not rely on it; its holder has to ask the issuer to resume it.",
        ),
    ),
    "NOT_YET_VALID": words(say.NOT_IN_FORCE, "证照尚未生效。", "The licence is not valid yet.", say.PRESENT_AGAIN),
    "VALIDITY_UNKNOWN": words(
        say.NOT_IN_FORCE,
        "证照没有载明签发时间或有效期。",
        "The licence does not say when it was issued or ends.",
        say.ASK_ISSUER,
    ),
    "CERTIFICATE_EXPIRED": words(
        say.BAD_SEAL,
        "签发时，签发机构的证书不在有效期内。",
        "The issuer's certificate was not valid at issue.",
        say.ASK_ISSUER,
    ),
    "SEAL_INVALID_THEN": words(
        say.BAD_SEAL, "签发时印章已经失效。", "The seal did not count any more at issue.", say.NEW_ONE
    ),
    "ISSUER_UNPROVEN": words(
        Sentence(
            "不能确认这份证照由有权签发的机构签发。", "Nothing confirms that whoever signed this licence may issue it."
        ),
        "签署它的证书没有签发证照的用途，任何持证人都能这样签名。",
        "The certificate that signed it is not for issuing licences: anybody's certificate can sign.",
        Sentence(
            "不要只凭此证照办理；请联网核验，或向签发机构核实。",
            "Do not rely on this licence alone; verify it online, or ask the issuing agency.",
        ),
    ),
    "LICENCE_UNKNOWN": words(
        say.NOT_REGISTERED, "本枢纽的登记中没有这份证照。", "The register does not hold this licence.", say.ASK_ISSUER
    ),
    "SIGNATURE_WRONG": words(
        say.FALSE_SIGNATURE,
        "签发机构的签名与内容不符。",
        "The issuer's signature does not fit the content.",
        say.PRESENT_AGAIN,
    ),
    "HOLDER_NOT_ASKED": words(
        say.NOT_BY_HOLDER,
        "没有向持有人提问，任何得到副本的人都能出示。",
        "The holder was not asked: anybody with a copy could present it.",
        say.PRESENT_AGAIN,
    ),
    "HOLDER_NOT_PROVEN": words(
        say.NOT_BY_HOLDER, "出示的内容没有附上持有人的证明。", "No proof of the holder came with it.", say.PRESENT_AGAIN
    ),
    "NONCE_USED": words(
        say.NOT_BY_HOLDER,
        "同样的内容以前出示过，可能是别人的副本。",
        "The very same was presented before.",
        say.PRESENT_AGAIN,
    ),
    **each(
        "NONCE_EXPIRED PROOF_STALE",
        words(say.NOT_BY_HOLDER, "出示的时间已超过几分钟的限期。", "It was made too long ago.", say.PRESENT_AGAIN),
    ),
    **each(
        "AUDIENCE NONCE NONCE_UNKNOWN SD_HASH",
        words(
            say.NOT_BY_HOLDER,
            "出示的内容不是对本页提问的回答。",
            "It does not answer this page's question.",
            say.PRESENT_AGAIN,
        ),
    ),
    **each(
        "BASE64 CLAIM CLAIM_TWICE DIGESTS DIGEST_TWICE DISCLOSURE DISCLOSURES DISCLOSURE_NAME DISCLOSURE_TWICE "
        "HEADER JSON JSON_DEPTH JSON_DUPLICATE JSON_NUMBER JWK JWS RESERVED_NAME SD_ALG SD_JWT SIZE TYPE TYPE_LACKING "
        "X5C",
        words(
            say.UNREADABLE_LICENCE,
            "粘贴的内容读不成电子证照（{what}）。",
            "What was pasted does not read as an electronic licence ({what}).",
            say.ANOTHER_WALLET,
        ),
    ),
    "DISCLOSURE_UNSIGNED": words(
        say.FALSE_SIGNATURE,
        "披露的内容中有签发机构没有签署的部分。",
        "Part of what is shown was not signed by the issuer.",
        say.PRESENT_AGAIN,
    ),
    **each(
        "STATUS_LIST STATUS_REFERENCE STATUS_INDEX STATUS_LIST_OTHER STATUS_LIST_STALE STATUS_LIST_EARLY "
        "STATUS_SIGNER STATUS_SIGNER_OTHER",
        words(
            Sentence("证照现在是否有效无法确认。", "Whether the licence is in force cannot be confirmed."),
            "所附的状态列表不能采用（{what}）。",
            "The status list beside it is of no use ({what}).",
            Sentence(
                "请取得签发机构最新的状态列表，或联网重新核验。",
                "Get the issuer's newest status list, or verify again online.",
            ),
        ),
    ),
}
OF_REASON: Mapping[str, Words] = {**_CODE, **_LICENCE}
"""By reason, for what has one meaning in every step."""

OF_FORM: Mapping[tuple[Form, str], Words] = {
    (Form.HASH, "DOCUMENT_UNKNOWN"): words(
        say.NOT_REGISTERED,
        "登记中没有这个摘要：不是本枢纽签发的原件，或者文件被改动过（哪怕一个字节）。",
        "No document has this hash: it was not issued here, or the file was changed, be it by one byte.",
        Sentence("请上传文件本身，查明原因。", "Upload the file itself to learn why."),
    ),
    (Form.CODE, "DOCUMENT_UNKNOWN"): words(
        say.NOT_REGISTERED,
        "二维码的签名没有问题，但登记中没有它所指的证明。",
        "The code's signature holds, but the register holds no such certificate.",
        say.ASK_ISSUER,
    ),
}
"""By what was judged and reason, where the way of asking decides what to do."""
