// Reads and checks the text of a certificate's QR code with WebCrypto. The format is that of esign's domain/qr.py:
// version 1 · days since 2000-01-01 (2) · key id (6) · digest prefix (16) · length (1) · number · P-256 signature (64).

const CONTEXT = new TextEncoder().encode("shuniu-qr-v1\n");
const EPOCH = Date.UTC(2000, 0, 1);
const VERSION = 1;
const KEY_AT = 3;
const KEY_BYTES = 6;
const HEAD = 26;
const SIGNATURE = 64;
const TEXT = /^[A-Za-z0-9_-]{100,240}$/;
const NUMBER = /^[0-9A-Z-]{4,32}$/;

function encode(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

/** What the code says, unchecked: {number, date, key, signed, signature}; null when it is not one of ours. */
export function parse(content) {
  const trimmed = content.trim();
  const text = trimmed.slice(trimmed.lastIndexOf("#") + 1);
  if (!TEXT.test(text)) return null;
  let payload;
  try {
    payload = decode(text);
  } catch {
    return null;
  }
  // Loose trailing bits would be a second spelling of the same code.
  if (encode(payload) !== text || payload.length < HEAD + SIGNATURE) return null;
  if (payload[0] !== VERSION || payload.length !== HEAD + payload[HEAD - 1] + SIGNATURE) return null;
  const body = payload.slice(0, -SIGNATURE);
  const number = String.fromCharCode(...body.slice(HEAD));
  if (!NUMBER.test(number)) return null;
  const days = body[1] * 256 + body[2];
  const signed = new Uint8Array(CONTEXT.length + body.length);
  signed.set(CONTEXT);
  signed.set(body, CONTEXT.length);
  return {
    number,
    date: new Date(EPOCH + days * 86_400_000).toISOString().slice(0, 10),
    key: encode(body.slice(KEY_AT, KEY_AT + KEY_BYTES)),
    signed,
    signature: payload.slice(-SIGNATURE),
  };
}

/**
 * Checks a code with the keys of a JWKS. Answers {verdict, reason, code}: VALID, INVALID (QR_SIGNATURE) or INDETERMINATE
 * (QR_MALFORMED: no code of a hub, or half of one; QR_KEY_UNKNOWN: the key, or a way to use it, is not on this device).
 */
export async function check(content, jwks) {
  const code = parse(content);
  if (!code) return { verdict: "INDETERMINATE", reason: "QR_MALFORMED", code: null };
  const key = jwks.find((one) => one.kid === code.key && one.kty === "EC" && one.crv === "P-256");
  if (!key || !globalThis.crypto?.subtle) return { verdict: "INDETERMINATE", reason: "QR_KEY_UNKNOWN", code };
  const scheme = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const point = { kty: "EC", crv: "P-256", x: key.x, y: key.y };
  let good = false;
  try {
    const imported = await crypto.subtle.importKey("jwk", point, scheme, false, ["verify"]);
    good = await crypto.subtle.verify(scheme, imported, code.signature, code.signed);
  } catch {
    return { verdict: "INDETERMINATE", reason: "QR_KEY_UNKNOWN", code };
  }
  return good ? { verdict: "VALID", reason: "OK", code } : { verdict: "INVALID", reason: "QR_SIGNATURE", code };
}
