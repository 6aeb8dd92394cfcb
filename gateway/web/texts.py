"""Every sentence on the pages, Chinese and English, in one place."""

from typing import Final

from shuniu.document_names import NAMES

LANGUAGES: Final = ("zh", "en")

# key: (zh, en). Values in braces are filled in and escaped by the template.
TEXTS: Final[dict[str, tuple[str, str]]] = {
    # frame
    "html_lang": ("zh-CN", "en"),
    "skip": ("跳到主要内容", "Skip to main content"),
    "service": ("政务服务枢纽", "Government services hub"),
    "switch": ("English", "中文"),
    "switch_label": ("Switch to English", "切换到中文"),
    "nav": ("主导航", "Main"),
    "nav_home": ("首页", "Home"),
    "nav_verify": ("证明核验", "Verify"),
    "nav_sign_out": ("退出登录", "Sign out"),
    "footer": ("本页面不加载任何第三方内容。", "This page loads nothing from third parties."),
    "back_home": ("返回首页", "Back to home"),
    # home
    "home_title": ("一次认证，处处可用", "Prove who you are once, use it everywhere"),
    "home_lead": (
        "登录一次，即可在已接入的各级政务服务平台办事；任何人都可以在这里核验电子证明的真伪。",
        "Sign in once to use every linked government platform. Anybody can check a certificate here.",
    ),
    "home_verify": ("核验电子证明", "Verify a certificate"),
    "home_verify_text": (
        "上传 PDF 或 OFD 文件，或扫描证明上的二维码，看结论、原因和怎么办。无需登录。",
        "Upload the PDF or OFD or scan its QR code; read the verdict, its cause and what to do. No sign-in needed.",
    ),
    "home_account": ("实名账户", "Your account"),
    "home_account_text": (
        "用一个实名账户登录各平台。身份证件号码加密保管，不会提供给您登录的平台。",
        "One account for all platforms. Your document number is kept encrypted; no platform you sign in to gets it.",
    ),
    "home_signed_in": ("您已登录：{name}（实名等级 L{ial}）", "You are signed in: {name} (assurance level L{ial})"),
    # sign-in
    "sign_in": ("登录", "Sign in"),
    "sign_in_for": ("登录后将返回“{client}”。", "After signing in you return to “{client}”."),
    "login_name": ("登录名", "Login name"),
    "password": ("密码", "Password"),
    "show_password": ("显示密码", "Show password"),
    "hide_password": ("隐藏密码", "Hide password"),
    "no_account": ("还没有账户？", "No account yet?"),
    "to_register": ("实名注册", "Register"),
    "have_account": ("已有账户？", "Already registered?"),
    "problem": ("操作没有完成", "That did not work"),
    "problems": ("请改正以下内容", "Please correct the following"),
    # register
    "register": ("实名注册", "Register"),
    "register_lead": (
        "姓名和证件号码将提交权威部门核对，号码加密保管。",
        "Name and document number are checked with the authority; the number is kept encrypted.",
    ),
    "account_part": ("账户", "Account"),
    "person_part": ("实名信息", "Identity"),
    "login_name_hint": (
        "4 至 64 位字母、数字、点、连字符或下划线，不区分大小写",
        "4 to 64 letters, digits, dots, hyphens or underscores; upper and lower case are the same",
    ),
    "password_hint": ("8 至 128 个字符", "8 to 128 characters"),
    "full_name": ("姓名", "Full name"),
    "full_name_hint": ("与证件一致，包括生僻字和间隔号", "Exactly as in the document, rare characters included"),
    "document_type": ("证件类型", "Document type"),
    "document_number": ("证件号码", "Document number"),
    "document_number_hint": (
        "与证件一致，不含空格；出错时需要重新填写",
        "As printed, without spaces; has to be typed again after an error",
    ),
    "register_button": ("核对并注册", "Check and register"),
    # consent
    "consent_title": ("授权登录", "Allow sign-in"),
    "consent_lead": ("“{client}”请求使用您的实名账户登录。", "“{client}” asks to sign you in with your account."),
    "consent_as": ("当前账户", "Signed in as"),
    "consent_level": ("实名等级", "Assurance level"),
    "consent_shared": ("同意后，该平台将获得", "If you agree, this platform receives"),
    "consent_not_shared": (
        "不会提供：您的证件号码、密码，以及您在其他平台使用的标识。",
        "Never given: your document number, your password, your identifiers on other platforms.",
    ),
    "allow": ("同意并继续", "Agree and continue"),
    "deny": ("拒绝", "Decline"),
    "other_account": ("使用其他账户", "Use another account"),
    "scope_openid": (
        "仅供该平台使用的用户标识和实名等级",
        "An identifier for this platform only, and your assurance level",
    ),
    "scope_profile": ("您的姓名和出生日期", "Your name and date of birth"),
    "scope_case.apply": ("代您提交办件申请", "To submit applications for you"),
    "scope_case.read": ("查看您的办件进度和证明", "To see the progress of your cases and your certificates"),
    "scope_flow.sign": (
        "查看并签署与您有关的文件，每次签署须单独授权",
        "To show you documents that wait for you and hand in your signatures; each needs an authorisation of its own",
    ),
    "scope_other": ("权限：{scope}", "Permission: {scope}"),
    # sign-out
    "sign_out_title": ("退出登录", "Sign out"),
    "sign_out_lead": (
        "退出后，各平台上由本账户建立的登录也将结束。",
        "Signing out also ends what other platforms were given for this sign-in.",
    ),
    "sign_out_button": ("确认退出", "Sign out"),
    "signed_out": ("您已退出登录", "You are signed out"),
    "signed_out_text": ("可以关闭此页面。", "You may close this page."),
    # errors
    "error_title": ("无法完成请求", "The request cannot be completed"),
    "not_found_title": ("没有这个页面", "There is no such page"),
    "not_found_text": ("请检查网址，或从首页进入。", "Check the address, or start from the home page."),
    "method_text": ("该网址不支持这种访问方式。", "This address cannot be used in this way."),
    "authorize_refused": (
        "登录请求有误，为安全起见没有返回到发起的平台。请回到该平台重新操作，或联系其管理员。",
        "The sign-in request is wrong. Start again where you came from, or tell its operator.",
    ),
    "incident": (
        "系统内部错误，请稍后重试；联系管理员时请提供事件编号 {incident}。",
        "Something went wrong here. Try again later; tell the operator incident {incident}.",
    ),
    "reason_code": ("原因代码", "Reason code"),
    # verification
    "verify_title": ("核验电子证明", "Verify a certificate"),
    "verify_lead": (
        "选择出具单位发来的 PDF 或 OFD 原文件（不是照片或扫描件）。文件只用于本次核验，不会保存。",
        "Choose the original PDF or OFD, not a photo or a scan. It is used for this check only and not kept.",
    ),
    "verify_file": ("选择 PDF 或 OFD 文件", "Choose a PDF or OFD file"),
    "verify_drop": ("也可以把文件拖到这里", "or drop the file here"),
    "verify_limit": ("最大 {size} MiB", "At most {size} MiB"),
    "verify_receipt": ("存证回执（可选）", "Ledger receipt (optional)"),
    "verify_receipt_hint": (
        "与该文件同名、以 .tlog-proof 结尾的文件；没有也可以核验",
        "The file named like the document ending in .tlog-proof; not needed",
    ),
    "verify_button": ("开始核验", "Verify"),
    "verify_busy": ("正在核验…", "Verifying…"),
    "verify_failed": ("核验没有完成", "The check could not be made"),
    "verify_network": ("网络不可用，请稍后重试。", "The network is not available; try again."),
    "verify_too_large": (
        "文件超过 {size} MiB，没有上传；请向出具单位索取较小的版本（自行压缩会使签章失效），或扫码、按编号核验。",
        "Over {size} MiB, so not sent; have the issuer make it smaller (you would lose the seal), or use its code.",
    ),
    "verify_no_document": (
        "这不是 PDF 或 OFD 文件；这不表示它是假的。请选择出具单位发来的原文件，不是照片或扫描件。",
        "This is no PDF or OFD file, which does not mean that it is false; choose the original, not a photo or a scan.",
    ),
    "verify_empty": (
        "文件是空的（0 字节）；请重新下载，或请对方重新发送。",
        "The file is empty (0 bytes); download it again, or have it sent again.",
    ),
    "verify_again": ("核验其他文件", "Verify another file"),
    "verify_qr_link": ("证明上有二维码？直接用手机扫描即可。", "Is there a QR code? Scan it with a phone."),
    "verify_code": ("核验二维码内容", "Check the text of a QR code"),
    "verdict_label": ("核验结论", "Verdict"),
    "verdict_VALID": ("有效", "Valid"),
    "verdict_INVALID": ("无效", "Not valid"),
    "verdict_INDETERMINATE": ("无法确定", "Cannot be determined"),
    "verdict_unread": ("没有核验", "Not verified"),
    "verdict_unsigned": ("没有电子签章", "Not signed"),
    "verdict_qr_VALID": ("二维码真实，登记有效", "Code genuine, certificate in force"),
    "verdict_qr_INVALID": ("无效", "Not valid"),
    "verdict_qr_INDETERMINATE": ("无法确定", "Cannot be determined"),
    "verdict_hash_VALID": ("登记有效", "Registered and in force"),
    "verdict_hash_INVALID": ("无效", "Not valid"),
    "verdict_hash_INDETERMINATE": ("无法确定", "Cannot be determined"),
    "verdict_number_VALID": ("登记有效", "Registered and in force"),
    "verdict_number_INVALID": ("无效", "Not valid"),
    "verdict_number_INDETERMINATE": ("无法确定", "Cannot be determined"),
    "verdict_licence_VALID": ("有效", "In force"),
    "verdict_licence_INVALID": ("无效", "Not valid"),
    "verdict_licence_INDETERMINATE": ("无法确定", "Cannot be determined"),
    # Said where esign, of an older release, sends no sentences of its own.
    "summary_VALID": (
        "所核验的内容真实有效。请再核对证明内容与持有人是否一致。",
        "What was verified is genuine and in force. Check that it fits the holder.",
    ),
    "summary_INVALID": ("核验没有通过，不要接受。", "It did not pass: do not accept it."),
    "summary_INDETERMINATE": (
        "有一项无法核实，不能当作有效文件接受；请向出具单位核实。",
        "Something could not be checked: do not accept it as valid; ask the issuer.",
    ),
    "cause": ("原因", "Why"),
    "advice": ("怎么办", "What to do"),
    # signatures
    "signatures": ("文件上的签名和印章", "Signatures and seals"),
    "kind_cms": ("电子签名", "Electronic signature"),
    "kind_gm_cms": ("国密签名（GM/T 0010）", "Signature by GM/T 0010"),
    "kind_ses": ("电子印章（GB/T 38540）", "Electronic seal by GB/T 38540"),
    "kind_timestamp": ("时间戳", "Timestamp"),
    "signer_claims": ("证书自称：{name}（未核实）", "the certificate claims: {name} (unverified)"),
    "signer_unconfirmed": ("证书自称，未核实：{claim}", "claimed by the certificate, unverified: {claim}"),
    "signer_unnamed": ("证书没有写明名称", "the certificate names nobody"),
    "signer_unread": ("签名者未核验", "who signed was not verified"),
    "signature_is_valid": ("签名成立", "holds"),
    "signature_is_invalid": ("签名不成立", "does not hold"),
    "signature_is_changed": ("签名之后文件被改动", "the document was changed after it"),
    "signature_is_unknown": ("无法确认", "not confirmed"),
    "signature_time": ("时间", "Time"),
    "time_proven": ("{time}（北京时间，已证实）", "{time} (Beijing time, proven)"),
    "time_claimed": ("{time}（北京时间，自称，未证实）", "{time} (Beijing time, claimed, not proven)"),
    "time_unsaid": ("没有写明", "not stated"),
    "signature_covers": ("范围", "Scope"),
    "signature_later": ("此后", "Afterwards"),
    "signature_nothing_later": ("没有变动", "nothing"),
    "signature_issuer": ("颁发机构", "Certificate by"),
    "licence_title": ("核验电子证照", "Check an electronic licence"),
    "licence_lead": (
        "请持有人用电子证照出示所需内容，例如只证明“已满 18 周岁”，不显示出生日期。",
        "Ask the holder to present only what you need, such as being 18 or older without the date of birth.",
    ),
    "licence_link": ("核验他人出示的电子证照？", "Checking a licence that somebody presents?"),
    "licence_question": ("向持有人提问", "Ask the holder"),
    "licence_audience": ("受众（您的网址，由持有人填入）", "Audience (your address, for the holder to enter)"),
    "licence_nonce": ("随机数（本次提问的编号，只用一次）", "Nonce (the number of this question, good once)"),
    "licence_presentation": ("出示的内容", "What the wallet shows"),
    "licence_presentation_hint": (
        "持有人按上面的受众和随机数出示的一段文本（SD-JWT）。随机数只能使用一次，几分钟内有效。",
        "The text (SD-JWT) made for the audience and nonce above. The nonce is good once, for a few minutes.",
    ),
    "licence_age": ("已满 {age} 周岁", "{age} or older"),
    "licence_yes": ("是", "yes"),
    "licence_until": ("有效期至", "Valid until"),
    "lookup_title": ("按摘要或编号核验", "Verify by hash or number"),
    "lookup_lead": (
        "不上传文件也能核验：在本机计算文件摘要，或填写证明上的编号和签发日期。核验结果不显示任何个人信息。",
        "Verify without sending the file: by its hash, computed on this device, or by number and date of issue.",
    ),
    "lookup_link": ("不想上传文件？", "Rather not send the file?"),
    "lookup_hash_title": ("按文件摘要", "By the file's hash"),
    "lookup_file": ("选择 PDF 或 OFD 文件", "Choose a PDF or OFD file"),
    "lookup_file_hint": ("只在本机计算摘要，文件不会上传", "Hashed on this device; the file is not sent"),
    "lookup_hash": ("文件摘要", "Hash of the file"),
    "lookup_hash_hint": ("SHA-256 或 SM3，64 位十六进制", "SHA-256 or SM3, 64 hexadecimal digits"),
    "lookup_hashing": ("正在本机计算摘要…", "Hashing the file on this device…"),
    "lookup_unreadable": ("无法读取该文件，请重新选择。", "The file cannot be read; choose it again."),
    "lookup_number_title": ("按证明编号", "By the certificate's number"),
    "lookup_number_hint": ("见证明上的“编号”", "As printed on the certificate"),
    "lookup_date_hint": ("与证明上的日期一致", "The date printed on the certificate"),
    "asked": ("核验于 {time}（北京时间）", "Judged at {time} (Beijing time)"),
    "asked_of": ("{file}，核验于 {time}（北京时间）", "{file}, judged at {time} (Beijing time)"),
    "as_of": ("结论对应时间（北京时间）", "Speaks for (Beijing time)"),
    "file_digest": ("文件的 SHA-256 摘要", "SHA-256 of the file"),
    "facts": ("证明信息", "Document"),
    "fact_number": ("编号", "Number"),
    "fact_title": ("名称", "Title"),
    "fact_issuer": ("签发机构", "Issuer"),
    "fact_issuer_name": ("签发机构", "Issuer"),
    "fact_date": ("签发日期", "Date of issue"),
    "fact_issued_on": ("签发日期", "Date of issue"),
    "fact_state": ("状态", "State"),
    "fact_sha256": ("文件摘要", "Digest"),
    "steps": ("核验步骤和依据", "Steps and reasons"),
    "steps_left_out": ("其余 {count} 项因此未核验。", "{count} further checks were not made for that reason."),
    "step_parse": ("文件结构", "Structure"),
    "step_coverage": ("签名覆盖范围", "Coverage"),
    "step_changes": ("签名后的改动", "Later changes"),
    "step_integrity": ("内容完整性", "Integrity"),
    "step_signer": ("签名者", "Signer"),
    "step_chain": ("证书链", "Certificate chain"),
    "step_holder": ("持有人当场出示", "Presented by its holder"),
    "step_time": ("签名时间", "Time of signing"),
    "step_seal_then": ("签署时印章状态", "Seal when signed"),
    "step_seal_now": ("当前印章状态", "Seal now"),
    "step_document": ("证明当前状态", "Document now"),
    "step_ledger": ("存证日志", "Ledger"),
    "step_ses": ("电子签章结构", "Seal structure"),
    "step_qr": ("二维码签名（本机核验）", "QR signature, on this device"),
    "step_online": ("联网核对", "Asked from the server"),
    "status_valid": ("通过", "passed"),
    "status_invalid": ("不通过", "failed"),
    "status_unknown": ("无法核实", "unknown"),
    "status_not_checked": ("未检查", "not checked"),
    # QR page
    "qr_title": ("核验电子证明：扫码或上传", "Verify a certificate: code or file"),
    "qr_lead": (
        "有电子文件的，请上传核验；扫码的，先在本机核验签名，再联网核对当前状态，请核对所示信息与纸面一致。",
        "Upload the file if you have it. A code is checked here, then the server is asked; compare it with the paper.",
    ),
    "qr_upload": ("上传文件核验", "Verify a file"),
    "qr_checking": ("正在核验二维码…", "Checking the QR code…"),
    "qr_none": (
        "请用手机相机扫描证明上的二维码，或把二维码内容粘贴到下面。",
        "Scan the QR code with the phone's camera, or paste its text below.",
    ),
    "qr_content": ("二维码内容", "Text of the QR code"),
    "qr_ready": ("本机已可离线核验", "This device can now check codes offline"),
    "qr_word_VALID": ("二维码真实", "The code is genuine"),
    "qr_word_offline": ("二维码真实（未联网）", "The code is genuine (offline)"),
    "qr_word_INVALID": ("二维码无效", "The code is not genuine"),
    "qr_word_INDETERMINATE": ("无法确定", "Cannot be determined"),
    "qr_holds_VALID": (
        "编号和日期确由签发机构签署；此后是否被撤销，须联网才能确认。",
        "Number and date were signed by the issuer; only online can a withdrawal be seen.",
    ),
    "qr_advice_VALID": (
        "请把下列编号和日期与证明上的内容核对，并在联网后再核验一次。",
        "Compare number and date with the paper, and check again once there is a network.",
    ),
    "qr_holds_INVALID": ("这不是本枢纽签发的二维码，不能接受。", "This is not a code of this hub: do not accept it."),
    "qr_advice_INVALID": (
        "不要接受此证明；请持证人提供电子原件，上传核验。",
        "Do not accept the certificate; have the holder bring the file and verify that.",
    ),
    "qr_holds_INDETERMINATE": ("这个二维码在本机不能核验。", "This device cannot check the code."),
    "qr_advice_INDETERMINATE": (
        "请联网后再扫描一次。",
        "Connect to the network and scan it again.",
    ),
    "qr_word_unread": ("没有核验", "Not verified"),
    "qr_holds_unread": (
        "这不是本枢纽的证明二维码，没有核验；这不表示证明是假的。",
        (
            "This is not the code of a certificate of this hub, so nothing was verified; this does not mean that the "
            "certificate is false."
        ),
    ),
    "qr_advice_unread": (
        "请重新扫描证明上的二维码；仍不能识别时不要只凭纸面接受，请上传电子原件，或到证明所写机构的核验页面核验。",
        (
            "Scan the code again; if it is still not recognised, do not rely on the paper alone: verify the file, or "
            "ask on the page of the agency named on the certificate."
        ),
    ),
    "qr_text_valid": ("P-256 签名正确，密钥 {key}。", "P-256 signature correct, key {key}."),
    "qr_text_invalid": ("签名与内容不符。", "The signature does not fit the content."),
    "qr_text_malformed": (
        "内容不是本枢纽二维码的格式，也可能没有扫全。",
        "Its content is not of this hub's form, or was not scanned completely.",
    ),
    "qr_text_unknown": ("本机没有密钥 {key}。", "Key {key} is not on this device."),
    "qr_text_offline": ("网络不可用，未核对当前状态。", "No network: the current state was not asked."),
    "qr_text_refused": ("服务器暂时无法核对：{message}", "The server cannot check at present: {message}"),
    "noscript_qr": (
        "此页面在关闭脚本时不能离线核验。请把二维码内容粘贴到下面，由服务器核验。",
        "Without scripts this page cannot check offline: paste the code's text below to have the server check it.",
    ),
}

DOCUMENT_TYPES: Final = (
    "111",
    "112",
    "113",
    "154",
    "516",
    "511",
    "552",
    "553",
    "414",
    "413",
    "412",
    "411",
    "554",
    "555",
    "513",
    "517",
    "114",
    "123",
    "990",
)
"""GA/T 2000.156 types that a natural person may register with, the usual ones first."""


def text(key: str, language: str, **values: object) -> str:
    """One sentence. Raises KeyError for a key that is not in the table."""
    found = TEXTS[key][LANGUAGES.index(language)]
    return found.format(**values) if values else found


def known(key: str, language: str, otherwise: str) -> str:
    """A sentence whose key comes from outside; `otherwise` when there is none."""
    return text(key, language) if key in TEXTS else otherwise


def document_types(language: str) -> list[tuple[str, str]]:
    found = [(code, *NAMES[code]) for code in DOCUMENT_TYPES]
    return [(code, en[:1].upper() + en[1:] if language == "en" else zh) for code, zh, en in found]
